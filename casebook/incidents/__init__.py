"""Incidents: occurrences close in time and place, grouped so that they raise one alert."""
