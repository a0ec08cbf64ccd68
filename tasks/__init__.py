"""The agents of this deployment: one file a use case."""
