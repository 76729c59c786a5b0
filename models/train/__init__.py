"""Makes a detector of one's own: pictures and labels in, a measured network out."""
