"""A support desk: triage hands over to a specialist; refunds asks two other agents before it pays.

Models decide what to do; what they may do, code decides: the tools that move money appear only once both
verdicts on that order are in, a person approves what is over 100 EUR, and no answer leaves that the books contradict.

    orchestrator run triage "My charger A1001 arrived broken, I want my money back" \
        --context '{"email": "ada@example.com"}'
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from orchestrator import (
    Agent,
    GuardrailFunctionOutput,
    ModelSettings,
    RunContext,
    StopAtTools,
    ToolContext,
    function_tool,
    output_guardrail,
)
from tasks.card_numbers import no_card_numbers
from tasks.labels import draw_label
from tasks.orders import open_orders
from tasks.rehearsal import support_desk as rehearsal


class Customer(BaseModel):
    """Who writes to the desk, and what was decided. Travels with the run; models do not see it, tools do."""

    email: str
    allowed_order: str | None = None
    """The order that the policy allows to pay back."""
    low_risk_order: str | None = None
    """The order whose refund does not look like abuse."""


class SupportAnswer(BaseModel):
    """What the desk answers, whichever specialist did."""

    resolution: Literal["answered", "refunded", "refund_denied", "needs_a_person"]
    order_id: str | None
    amount_cents: int = Field(description="What was paid back; 0 if nothing was.")
    message: str = Field(description="The reply to the customer: polite, specific, at most four sentences.")


class PolicyVerdict(BaseModel):
    """Whether the shop's rules allow a refund."""

    allowed: bool
    rule: str = Field(description="The rule that decides, in one sentence.")


class RiskVerdict(BaseModel):
    """Whether the request looks like abuse."""

    risk: Literal["low", "high"]
    reason: str


class OrderQuestion(BaseModel):
    """A refund request to look at."""

    order_id: str
    reason: str = Field(description="Why the customer wants the money back.")


REFUND_POLICY = """\
Delivered orders can be paid back within 30 days of delivery.
Defective goods can be paid back within 60 days.
Food and drink cannot be paid back once delivered, unless defective.
Orders in transit cannot be paid back yet: the customer may refuse delivery."""

HIGH_REFUNDS_CENTS = 50_000
APPROVAL_CENTS = 10_000


@function_tool(output_format="json")
def find_order(ctx: RunContext[Customer], order_id: str) -> dict[str, object]:
    """Look up one of the customer's orders: item, price in cents, status, delivery and tracking.

    Args:
        order_id: The order's id, such as A1001.
    """
    order = ctx.resource(open_orders).find(order_id)
    if order is None or order.customer != ctx.context.email:
        return {"error": f"This customer has no order {order_id}."}
    return order.model_dump()


@function_tool(output_format="json")
def list_orders(ctx: RunContext[Customer]) -> list[dict[str, object]]:
    """List all orders of the customer who writes."""
    return [order.model_dump() for order in ctx.resource(open_orders).of_customer(ctx.context.email)]


def may_pay_back(ctx: RunContext[Customer], agent: object) -> bool:
    """Both verdicts are in, on the same order."""
    return ctx.context.allowed_order is not None and ctx.context.allowed_order == ctx.context.low_risk_order


def is_large(ctx: RunContext[Customer], arguments: dict[str, Any], call_id: str) -> bool:
    """A person approves large payments, and those of orders that are not known."""
    order = ctx.resource(open_orders).find(str(arguments.get("order_id")))
    return order is None or order.price_cents > APPROVAL_CENTS


@function_tool(output_format="json", is_enabled=may_pay_back, needs_approval=is_large)
def pay_back(ctx: ToolContext[Customer], order_id: str, reason: str) -> dict[str, object]:
    """Pay the order's price back to the customer.

    Args:
        order_id: The order that is paid back.
        reason: One short sentence for the books.
    """
    orders = ctx.resource(open_orders)
    order = orders.find(order_id)
    if order is None or order.customer != ctx.context.email or order_id != ctx.context.allowed_order:
        return {"error": f"Paying {order_id} back is not allowed."}
    # Should a worker die in this call, it runs again under the same key and pays nothing twice.
    paid = orders.refund(ctx.idempotency_key, order_id, order.price_cents, reason)
    return {"paid_cents": paid}


@function_tool(queue="cpu", output_format="json", is_enabled=may_pay_back)
def return_label(order_id: str) -> dict[str, object]:
    """Draw the label with which the customer sends a broken item back. It is mailed to them.

    Args:
        order_id: The order that comes back.
    """
    return {"label": f"R-{order_id}", "svg_bytes": len(draw_label(order_id))}


@function_tool
def read_refund_policy() -> str:
    """Read the shop's rules for paying money back."""
    return REFUND_POLICY


@function_tool(output_format="json")
def refund_history(ctx: RunContext[Customer]) -> dict[str, object]:
    """How many orders the customer has, and how much they have got back so far."""
    orders = ctx.resource(open_orders)
    email = ctx.context.email
    return {"orders": len(orders.of_customer(email)), "refunded_cents": orders.refunded_cents(email)}


@function_tool
def give_policy_verdict(ctx: RunContext[Customer], order_id: str, allowed: bool, rule: str) -> PolicyVerdict:
    """Decide whether the policy allows paying the order back. This ends your work.

    Args:
        order_id: The order that was asked about.
        allowed: Whether the policy allows it.
        rule: The rule that decides, in one sentence.
    """
    ctx.context.allowed_order = order_id if allowed else None
    return PolicyVerdict(allowed=allowed, rule=rule)


@function_tool
def give_risk_verdict(
    ctx: RunContext[Customer], order_id: str, risk: Literal["low", "high"], reason: str
) -> RiskVerdict:
    """Decide how risky it is to pay the order back. This ends your work.

    Args:
        order_id: The order that was asked about.
        risk: How much the request looks like abuse.
        reason: Why, in one sentence.
    """
    ctx.context.low_risk_order = order_id if risk == "low" else None
    return RiskVerdict(risk=risk, reason=reason)


@output_guardrail
def as_in_the_books(ctx: RunContext[Customer], agent: object, answer: SupportAnswer) -> GuardrailFunctionOutput:
    """Nobody is told of a payment that was not made."""
    is_refunded = answer.resolution == "refunded"
    paid = ctx.resource(open_orders).paid_back_cents(answer.order_id or "") if is_refunded else 0
    told = {"told_cents": answer.amount_cents, "paid_cents": paid}
    return GuardrailFunctionOutput(told, tripwire_triggered=answer.amount_cents != paid or (is_refunded and paid == 0))


policy = Agent[Customer](
    name="policy",
    instructions=(
        "You know the shop's refund policy. Read it with your tool, look the order up, then give your verdict: does "
        "the policy allow paying this order back? Quote the rule that decides. Rules decide, not sympathy."
    ),
    tools=[read_refund_policy, find_order, give_policy_verdict],
    tool_use_behavior=StopAtTools(stop_at_tool_names=["give_policy_verdict"]),
    output_type=PolicyVerdict,
    rehearsal=rehearsal.policy,
)

risk = Agent[Customer](
    name="risk",
    instructions=(
        "You watch for refund abuse. Look at the customer's history, then give your verdict. The risk is high if they "
        f"got back more than {HIGH_REFUNDS_CENTS} cents so far, or if the reason contradicts the order; else it is low."
    ),
    tools=[refund_history, find_order, give_risk_verdict],
    tool_use_behavior=StopAtTools(stop_at_tool_names=["give_risk_verdict"]),
    output_type=RiskVerdict,
    rehearsal=rehearsal.risk,
)

refunds = Agent[Customer](
    name="refunds",
    handoff_description="Requests for money back, broken or unwanted goods.",
    instructions=(
        "You handle refunds. First look the order up. Then ask check_policy and check_risk, both in the same turn. If "
        "the policy allows it and the risk is low, you get two more tools: call pay_back and return_label, both in the "
        "same turn. If the risk is high, or a payment is not approved, a person will write back. Then answer the "
        "customer, and say which rule decided."
    ),
    tools=[
        find_order,
        policy.as_tool("check_policy", "Ask whether the refund policy allows this.", parameters=OrderQuestion),
        risk.as_tool("check_risk", "Ask whether the request looks like abuse.", parameters=OrderQuestion),
        pay_back,
        return_label,
    ],
    output_type=SupportAnswer,
    output_guardrails=[as_in_the_books],
    rehearsal=rehearsal.refunds,
)

orders = Agent[Customer](
    name="orders",
    handoff_description="Where an order is, when it arrives, what was ordered.",
    instructions=(
        "You answer questions about orders. Look them up; never guess a status or a date. If the customer names no "
        "order, list theirs and pick the one that they mean."
    ),
    tools=[find_order, list_orders],
    output_type=SupportAnswer,
    output_guardrails=[as_in_the_books],
    rehearsal=rehearsal.orders,
)

technical = Agent[Customer](
    name="technical",
    handoff_description="How to use, set up or repair a product.",
    instructions=(
        "You help with products in plain, short steps. If the product seems to be defective, and the customer wants "
        "their money back, hand over to refunds. If you do not know, say that a person will write back."
    ),
    handoffs=["refunds"],
    output_type=SupportAnswer,
    output_guardrails=[as_in_the_books],
    rehearsal=rehearsal.technical,
)

triage = Agent[Customer](
    name="triage",
    instructions=(
        "You are the first to read what customers write to an online shop. Hand over to the specialist who should "
        "answer. Do not answer yourself."
    ),
    model_settings=ModelSettings(tool_choice="required"),
    handoffs=[refunds, orders, technical],
    input_guardrails=[no_card_numbers],
    rehearsal=rehearsal.triage,
)
