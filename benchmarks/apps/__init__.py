"""The agents that are measured, once for each side."""
