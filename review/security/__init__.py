"""Protection of the pages against requests from other sites."""
