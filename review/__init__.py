"""The web pages for rangers and analysts."""
