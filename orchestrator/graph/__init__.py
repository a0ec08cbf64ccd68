"""Pictures of flows and agents: what there is to draw, and one file for each way to draw it."""
