"""Assembly and operation of the server."""
