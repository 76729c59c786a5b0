"""Import of bundles, which are files of messages copied from a USB stick to a folder of the server."""
