"""Remote care of stations, at the server: sealing what they are told, sending it, and recording their answers."""
