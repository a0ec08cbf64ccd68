"""A support desk: triage hands over to a specialist; refunds asks two other agents before it pays.

    orchestrator run triage "My charger A1001 arrived broken, I want my money back" \
        --context '{"email": "ada@example.com"}'
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from orchestrator import Agent, RunContext, ToolContext, function_tool
from orchestrator.demo import Demo, DemoRun
from tasks import support_rehearsal as rehearsal
from tasks.labels import draw_label
from tasks.orders import open_orders


class Customer(BaseModel):
    """Who writes to the desk. Travels with the run; models do not see it, tools do."""

    email: str


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


@function_tool(output_format="json")
def pay_back(
    ctx: ToolContext[Customer], order_id: str, amount_cents: Annotated[int, Field(gt=0, le=100_000)], reason: str
) -> dict[str, object]:
    """Pay money back to the customer. Only after both the policy and the risk check agreed.

    Args:
        order_id: The order that is paid back.
        amount_cents: How much, in cents; never more than the order's price.
        reason: One short sentence for the books.
    """
    orders = ctx.resource(open_orders)
    order = orders.find(order_id)
    if order is None or order.customer != ctx.context.email:
        return {"error": f"This customer has no order {order_id}."}
    if amount_cents > order.price_cents:
        return {"error": f"Order {order_id} cost only {order.price_cents} cents."}
    # Should a worker die in this call, it runs again under the same key and pays nothing twice.
    paid = orders.refund(ctx.idempotency_key, order_id, amount_cents, reason)
    return {"paid_cents": paid}


@function_tool(queue="cpu", output_format="json")
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


policy = Agent[Customer](
    name="policy",
    instructions=(
        "You know the shop's refund policy. Read it with your tool, look the order up, and decide whether the policy "
        "allows paying this order back. Quote the rule that decides. Do not be generous: rules decide, not sympathy."
    ),
    tools=[read_refund_policy, find_order],
    output_type=PolicyVerdict,
    rehearsal=rehearsal.policy,
)

risk = Agent[Customer](
    name="risk",
    instructions=(
        "You watch for refund abuse. Look at the customer's history with your tool. The risk is high if they have got "
        f"back more than {HIGH_REFUNDS_CENTS} cents so far, or if the reason contradicts the order; else it is low."
    ),
    tools=[refund_history, find_order],
    output_type=RiskVerdict,
    rehearsal=rehearsal.risk,
)

refunds = Agent[Customer](
    name="refunds",
    handoff_description="Requests for money back, broken or unwanted goods.",
    instructions=(
        "You handle refunds. First look the order up. Then ask check_policy and check_risk, both in the same turn. "
        "Only if the policy allows it and the risk is low, pay the order's price back with pay_back, and in the same "
        "turn make a return_label. If the risk is high, do not pay: a person will decide. Then answer the customer, "
        "and say which rule decided."
    ),
    tools=[
        find_order,
        policy.as_tool("check_policy", "Ask whether the refund policy allows this.", parameters=OrderQuestion),
        risk.as_tool("check_risk", "Ask whether the request looks like abuse.", parameters=OrderQuestion),
        pay_back,
        return_label,
    ],
    output_type=SupportAnswer,
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
    rehearsal=rehearsal.technical,
)

triage = Agent[Customer](
    name="triage",
    instructions=(
        "You are the first to read what customers write to an online shop. Hand over to the specialist who should "
        "answer. Do not answer yourself."
    ),
    handoffs=[refunds, orders, technical],
    rehearsal=rehearsal.triage,
)

DEMO = Demo(
    title="A support desk with six agents",
    agent=triage,
    runs=[
        DemoRun(
            title="broken charger",
            input="My charger from order A1001 arrived broken. I want my money back.",
            context=Customer(email="ada@example.com"),
        ),
        DemoRun(
            title="late refund",
            input="I do not like the espresso machine (order B2001) any more, please refund it.",
            context=Customer(email="bob@example.com"),
        ),
        DemoRun(
            title="where is it",
            input="Where is my keyboard? It should have been here by now.",
            context=Customer(email="ada@example.com"),
        ),
        DemoRun(
            title="how to pair",
            input="How do I pair my headphones with a second phone?",
            context=Customer(email="cleo@example.com"),
        ),
    ],
)
