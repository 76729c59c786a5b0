"""Files of a Mosquitto broker in which every station has its own credentials and access rights."""
