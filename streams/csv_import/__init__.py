"""Turns CSV exports into an event history, as a mapping (schemas/mapping.py) says."""
