"""Other systems that show what Wildpost finds, such as Home Assistant."""
