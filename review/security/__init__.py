"""Protection of the pages against requests that are too large or too many, or come from other sites."""
