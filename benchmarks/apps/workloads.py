"""What the sides' agents have in common."""

INSTRUCTIONS = "You help customers of a shop. Be brief."
WORKLOADS = ("triage", "answer", "turns", "judge")
"""A handoff and a tool call; an answer at once; ten tool calls, then an answer; an evaluator's word."""
MAX_TURNS = 1000
MAX_FAN_OUT = 1000
SEQUENCE_LENGTH = 5
REFINE_ROUNDS = 100


def look_up(order_id: str) -> str:
    """What the only tool does."""
    return f"{order_id}: shipped"
