"""Storage of thumbnails and clips under the SHA-256 of their content, in a folder or an S3 bucket."""
