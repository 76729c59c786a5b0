"""Executors, which run a function for many tasks: the protocol and its implementations."""
