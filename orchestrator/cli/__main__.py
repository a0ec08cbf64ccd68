"""`python -m orchestrator.cli`: the command line where the console script is not on the PATH."""

from orchestrator.cli import main

main()
