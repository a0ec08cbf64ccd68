"""What is measured: one file a scenario, each with a `run(bench)` that returns its section of the report."""
