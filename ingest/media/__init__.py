"""Content-addressed storage of thumbnails and clips: a folder or an S3 bucket."""
