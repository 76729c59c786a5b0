"""Incidents, which group occurrences close in time and place, and the alerts that incidents raise."""
