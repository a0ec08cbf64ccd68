"""Loads on real workers, as commands that print figures, and as tests with smaller numbers."""
