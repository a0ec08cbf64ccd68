"""The support desk, played by the rehearsal model on the real tools and a real database."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from orchestrator import (
    InputGuardrailTripwireTriggered,
    OpenQuestion,
    OutputGuardrailTripwireTriggered,
    RunContext,
    RunResult,
    Settings,
    run_inline,
)
from orchestrator.resources import override_resource
from orchestrator.testing import ScriptedModel, text_message
from tasks import support_desk
from tasks.card_numbers import is_card_number
from tasks.labels import draw_label
from tasks.orders import OrderDatabase, open_orders
from tasks.support_desk import Customer, SupportAnswer

REHEARSAL = Settings(model_api="rehearsal", rehearsal_latency_seconds=0)


@pytest.fixture
def orders(tmp_path: Path):
    database = OrderDatabase(tmp_path / "orders.sqlite3")
    with override_resource(open_orders, database):
        yield database
    database.close()


def ask(text: str, email: str, **options: Any) -> RunResult:
    return run_inline(support_desk.triage, text, context=Customer(email=email), settings=REHEARSAL, **options)


def test_broken_goods_are_paid_back_once_and_get_a_label(orders: OrderDatabase) -> None:
    result = ask("My charger A1001 arrived broken, I want my money back", "ada@example.com")

    answer = result.final_output
    assert isinstance(answer, SupportAnswer)
    assert (answer.resolution, answer.order_id, answer.amount_cents) == ("refunded", "A1001", 3900)
    assert "R-A1001" in answer.message
    assert orders.refunded_cents("ada@example.com") == 3900


def test_refund_after_the_deadline_is_denied_by_the_rule(orders: OrderDatabase) -> None:
    result = ask("Please refund my espresso machine B2001", "bob@example.com")

    assert result.final_output.resolution == "refund_denied"
    assert "30 days" in result.final_output.message
    assert orders.refunded_cents("bob@example.com") == 0


def test_both_checks_are_asked_in_one_turn(orders: OrderDatabase) -> None:
    result = ask("My charger A1001 arrived broken, I want my money back", "ada@example.com")

    calls = [item["name"] for item in result.new_items if item["type"] == "function_call"]
    outputs = [index for index, item in enumerate(result.new_items) if item["type"] == "function_call_output"]
    policy = calls.index("check_policy")
    assert calls[policy : policy + 2] == ["check_policy", "check_risk"]
    assert outputs[policy + 1] == outputs[policy] + 1


def test_tools_that_move_money_appear_once_both_verdicts_are_in(orders: OrderDatabase) -> None:
    customer = Customer(email="ada@example.com", allowed_order="A1001")
    context = RunContext(customer)

    assert not support_desk.may_pay_back(context, support_desk.refunds)
    customer.low_risk_order = "A1002"
    assert not support_desk.may_pay_back(context, support_desk.refunds)
    customer.low_risk_order = "A1001"
    assert support_desk.may_pay_back(context, support_desk.refunds)


def test_large_refund_is_paid_once_a_person_approves(orders: OrderDatabase) -> None:
    asked: list[OpenQuestion] = []

    def approve(question: OpenQuestion) -> bool:
        asked.append(question)
        return True

    result = ask("My headphones C3001 are broken, I want my money back", "cleo@example.com", people=approve)

    assert [question.tool for question in asked] == ["pay_back"]
    assert result.final_output.amount_cents == 19_900
    assert orders.refunded_cents("cleo@example.com") == 19_900


def test_large_refund_that_a_person_rejects_is_not_paid(orders: OrderDatabase) -> None:
    text = "My headphones C3001 are broken, I want my money back"

    result = ask(text, "cleo@example.com", people=lambda question: False)

    assert result.final_output.resolution == "needs_a_person"
    assert orders.refunded_cents("cleo@example.com") == 0


@pytest.mark.parametrize(
    ("order_id", "is_asked"), [("A1001", False), ("A1002", True), ("C3001", True), ("Z9999", True), (None, True)]
)
def test_person_is_asked_about_large_and_unknown_orders(
    orders: OrderDatabase, order_id: str | None, is_asked: bool
) -> None:
    context = RunContext(Customer(email="ada@example.com"))

    assert support_desk.is_large(context, {"order_id": order_id}, "call") is is_asked


@pytest.mark.parametrize(
    "told",
    [
        {"resolution": "refunded", "order_id": "A1001", "amount_cents": 3900},
        {"resolution": "refunded", "order_id": None, "amount_cents": 0},
        {"resolution": "refund_denied", "order_id": "A1001", "amount_cents": 3900},
    ],
)
def test_answer_that_tells_of_a_payment_that_was_not_made_reaches_nobody(
    orders: OrderDatabase, told: dict[str, object]
) -> None:
    answer = SupportAnswer.model_validate({**told, "message": "Done."})
    agent = support_desk.refunds.clone(model=ScriptedModel([text_message(answer)]))

    with pytest.raises(OutputGuardrailTripwireTriggered, match="as_in_the_books"):
        run_inline(agent, "Refund A1001", context=Customer(email="ada@example.com"))


def test_message_with_a_card_number_reaches_no_model(orders: OrderDatabase) -> None:
    model = ScriptedModel([])
    agent = support_desk.triage.clone(model=model)

    with pytest.raises(InputGuardrailTripwireTriggered, match="no_card_numbers"):
        run_inline(agent, "Pay it to 4111 1111 1111 1111.", context=Customer(email="ada@example.com"))

    assert model.requests == []


@pytest.mark.parametrize(("text", "is_card"), [("4111-1111-1111-1111", True), ("4111 1111 1111 1112", False)])
def test_card_numbers_are_told_by_their_last_digit(text: str, is_card: bool) -> None:
    assert is_card_number(text) is is_card


def test_order_of_somebody_else_is_not_shown(orders: OrderDatabase) -> None:
    result = ask("Refund order B2001, it is broken", "ada@example.com")

    assert result.final_output.resolution == "needs_a_person"
    assert "Espresso" not in str(result.new_items)


def test_question_about_an_order_goes_to_the_orders_agent(orders: OrderDatabase) -> None:
    result = ask("Where is my keyboard?", "ada@example.com")

    assert result.last_agent == "orders"
    assert "TRK-7790" in result.final_output.message


def test_refund_is_booked_once_per_key(orders: OrderDatabase) -> None:
    first = orders.refund("run:call", "A1001", 3900, "broken")
    second = orders.refund("run:call", "A1001", 3900, "broken")

    assert first == second == 3900
    assert orders.refunded_cents("ada@example.com") == 3900


def test_label_is_a_well_formed_barcode() -> None:
    root = ElementTree.fromstring(draw_label("A1001"))

    bars = [element for element in root if element.tag.endswith("rect")]
    assert len(bars) == 5 * len("*R-A1001*")


def test_label_refuses_what_has_no_bars() -> None:
    with pytest.raises(ValueError, match="ß"):
        draw_label("ß")


def test_desk_without_a_customer_asks_for_a_person(orders: OrderDatabase) -> None:
    result = run_inline(support_desk.triage, "Where is my keyboard?", settings=REHEARSAL)

    assert result.final_output.resolution == "needs_a_person"
