"""What the rehearsal model plays at the support desk: a canned stand-in for a real model's decisions.

The tools that it calls are the real ones, and what it says rests on what they return.
"""

from __future__ import annotations

import json
import re
from typing import Any

from orchestrator.models.rehearsal import Call, Rehearsal, Say, call, say

_ORDER_ID = re.compile(r"\b[A-Z]\d{4}\b")
_DEFECTS = ("broken", "defective", "does not work", "dead")


def triage(seen: Rehearsal) -> Call:
    """Routes by words."""
    text = seen.user_text.lower()
    if any(word in text for word in ("money back", "refund", "return")):
        return call("transfer_to_refunds")
    if any(word in text for word in ("where", "order", "arrive", "delivery")):
        return call("transfer_to_orders")
    return call("transfer_to_technical")


def refunds(seen: Rehearsal) -> Say | Call | list[Say | Call]:
    """Looks up, asks both checks side by side, pays or declines."""
    order_id = _order_id(seen.user_text)
    if order_id is None:
        return _answer("needs_a_person", None, "Which order is it about? Please send us the order's number.")
    if "find_order" not in seen.outputs:
        return call("find_order", order_id=order_id)
    order = _read(seen, "find_order")
    if "error" in order:
        return _answer("needs_a_person", None, f"{order['error']} A colleague will look into it.")
    if "check_policy" not in seen.outputs:
        question = {"order_id": order_id, "reason": seen.user_text}
        return [call("check_policy", **question), call("check_risk", **question)]
    if "allowed=True" not in seen.outputs["check_policy"]:
        return _answer("refund_denied", order_id, f"We are sorry, we cannot refund your {order['item']}: {_rule(seen)}")
    if "risk='low'" not in seen.outputs["check_risk"]:
        return _answer("needs_a_person", order_id, "A colleague will look at your request and write back today.")
    if "pay_back" not in seen.outputs:
        payment = call("pay_back", order_id=order_id, reason="Refund allowed by policy.")
        return [payment, call("return_label", order_id=order_id)]
    paid = _read(seen, "pay_back").get("paid_cents")
    if paid is None:  # a person said no
        return _answer("needs_a_person", order_id, "A colleague will look at your request and write back today.")
    text = f"We are sorry about your {order['item']}. {paid / 100:.2f} EUR are on their way back to you. {_rule(seen)}"
    text += f" Please use return label {_read(seen, 'return_label').get('label')}."
    return _answer("refunded", order_id, text, paid)


def policy(seen: Rehearsal) -> Call | list[Say | Call]:
    """Applies the rules to the order."""
    order_id = _order_id(seen.user_text) or ""
    if "find_order" not in seen.outputs:
        return [call("read_refund_policy"), call("find_order", order_id=order_id)]
    order = _read(seen, "find_order")
    days = order.get("delivered_days_ago")
    if days is None:
        rule = "Orders in transit cannot be paid back yet."
        return call("give_policy_verdict", order_id=order_id, allowed=False, rule=rule)
    defective = any(word in seen.user_text.lower() for word in _DEFECTS)
    limit = 60 if defective else 30
    goods = "Defective goods" if defective else "Delivered orders"
    rule = f"{goods} can be paid back within {limit} days of delivery."
    return call("give_policy_verdict", order_id=order_id, allowed=days <= limit, rule=rule)


def risk(seen: Rehearsal) -> Call:
    """Looks at the customer's history."""
    if "refund_history" not in seen.outputs:
        return call("refund_history")
    refunded = _read(seen, "refund_history").get("refunded_cents", 50_001)
    level = "high" if refunded > 50_000 else "low"
    reason = f"The customer has got back {refunded / 100:.2f} EUR so far."
    return call("give_risk_verdict", order_id=_order_id(seen.user_text) or "", risk=level, reason=reason)


def orders(seen: Rehearsal) -> Say | Call:
    """Answers from the list of orders."""
    if "list_orders" not in seen.outputs:
        return call("list_orders")
    known = _read(seen, "list_orders")
    if "error" in known:
        return _answer("needs_a_person", None, f"{known['error']} A colleague will look into it.")
    text = seen.user_text.lower()
    named = [order for order in known if any(word in text for word in re.findall(r"\w{4,}", order["item"].lower()))]
    if not named:
        return _answer("needs_a_person", None, "We could not tell which order you mean. What is its number?")
    order = named[0]
    status = (
        f"Your {order['item']} (order {order['order_id']}) is {order['status']}, tracking number {order['tracking']}."
    )
    return _answer("answered", order["order_id"], status)


def technical(seen: Rehearsal) -> Say:
    """Knows about headphones, and nothing else."""
    if "headphones" in seen.user_text.lower():
        steps = (
            "Hold the power button for five seconds until the light blinks blue, then pick them on the second phone."
        )
        return _answer("answered", None, steps)
    return _answer("needs_a_person", None, "A colleague who knows this product will write back today.")


def _answer(resolution: str, order_id: str | None, message: str, amount_cents: int = 0) -> Say:
    return say({"resolution": resolution, "order_id": order_id, "amount_cents": amount_cents, "message": message})


def _read(seen: Rehearsal, tool: str) -> Any:
    """What a tool returned; an `error` where it failed and said so in words."""
    try:
        return json.loads(seen.outputs[tool])
    except ValueError:
        return {"error": "Something went wrong on our side."}


def _rule(seen: Rehearsal) -> str:
    found = re.search(r"rule='([^']*)'", seen.outputs["check_policy"])
    return found[1] if found else ""


def _order_id(text: str) -> str | None:
    found = _ORDER_ID.search(text)
    return found[0] if found else None
