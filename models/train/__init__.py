"""Training of detectors on your own labelled pictures and clips: datasets, training, export and quantisation."""
