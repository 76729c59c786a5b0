"""Incidents, which group findings and station problems that are close in time and place, and their alerts."""
