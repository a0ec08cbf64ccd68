"""What the offline rehearsal model plays in the agents' names, a file a job. Canned decisions; the tools are real."""
