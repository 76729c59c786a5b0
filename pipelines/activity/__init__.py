"""Activity of species over the day: densities of times, activity level, overlap, tests for circular data."""
