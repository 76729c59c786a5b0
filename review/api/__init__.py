"""Endpoints for the pages' scripts and for other programs; they answer in JSON."""
