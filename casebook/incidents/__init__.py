"""What happens within minutes and metres, seen, heard or fallen silent, is one incident; it alerts once."""
