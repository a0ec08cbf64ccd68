"""The moves of a run: what `turn.decide` may ask for, each done by one function on an `ActiveRun`."""
