"""The command line, its settings, the server and station assembly, and the demo."""
