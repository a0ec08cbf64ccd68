"""The same scripted replies, given to the Agents SDK and to this engine on real workers."""
