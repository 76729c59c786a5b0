"""File format for messages that are carried from a station to a server on a USB stick.

A bundle is an uncompressed tar archive: `manifest.json` first, then one member for each message. The manifest names
the size and the hash of every message, so the position of each one is known without reading the tar headers: a
damaged block costs the message it lies in, and a truncated file costs what follows the end. The server answers with a
receipt, a JSON file beside the bundle. The station deletes a message only when a receipt lists it.
"""
