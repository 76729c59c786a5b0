"""A Mosquitto broker in which every station has its own credentials and rights."""
