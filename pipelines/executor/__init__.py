"""Running a function over many tasks: the port, and one adapter for each way to run."""
