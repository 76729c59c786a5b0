"""Trains the network that hears threats: shots, saws, engines, dogs and voices."""
