"""Models: one interface, several servers."""
