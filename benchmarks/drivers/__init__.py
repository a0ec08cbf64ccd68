"""Producers: one process a side, told by the benchmark what to submit."""
