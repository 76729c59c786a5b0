"""The review pages; each module contains one page."""
