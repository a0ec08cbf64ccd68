"""An explicit-state check of docs/protocol.md: every state that the run protocol can reach, faults included."""
