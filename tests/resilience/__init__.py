"""Workers that are killed at named points, and what becomes of their runs."""
