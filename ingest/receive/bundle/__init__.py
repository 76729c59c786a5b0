"""Messages arrive in files from a USB stick, dropped into a folder of the server."""
