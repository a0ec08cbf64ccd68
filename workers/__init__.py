"""The processes of this deployment."""
