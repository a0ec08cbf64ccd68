"""The cases, by section of the rules that they are about."""
