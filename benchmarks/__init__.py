"""Measures what runs cost, each figure beside a baseline in the same run. `python -m benchmarks --help`."""
