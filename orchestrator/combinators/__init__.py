"""The combinators of flows: one interface, one file for each way to put steps together."""
