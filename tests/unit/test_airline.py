"""The airline's desk: agents that hand round in a circle, and a context that is set on the way."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import RunResult, Settings, UserError, run_inline
from orchestrator.resources import override_resource
from orchestrator.testing import ScriptedModel, function_call
from tasks import airline
from tasks.airline import Passenger
from tasks.bookings import BookingDatabase, open_bookings

REHEARSAL = Settings(model_api="rehearsal", rehearsal_latency_seconds=0)


@pytest.fixture(autouse=True)
def bookings(tmp_path: Path) -> Iterator[BookingDatabase]:
    """Bookings of its own for each test."""
    database = BookingDatabase(tmp_path / "bookings.sqlite3")
    with override_resource(open_bookings, database):
        yield database
    database.close()


def ask(text: str) -> RunResult:
    return run_inline(airline.airline, text, context=Passenger(), settings=REHEARSAL)


def handovers(result: RunResult) -> list[str]:
    calls = [item["name"] for item in result.new_items if item["type"] == "function_call"]
    return [name for name in calls if name.startswith("transfer_to_")]


def test_two_questions_go_round_in_a_circle(bookings: BookingDatabase) -> None:
    result = ask("How many bags may I take? And seat 14C, please: my confirmation number is LL0EH6.")

    assert handovers(result) == ["transfer_to_airline_faq", "transfer_to_airline", "transfer_to_airline_seats"]
    assert "up to 8 kg" in result.final_output
    assert "Ada Lovelace now has seat 14C on flight NW417" in result.final_output


def test_booking_is_looked_up_on_the_way_and_kept_in_the_context(bookings: BookingDatabase) -> None:
    result = ask("Please give me seat 14C, LL0EH6.")

    assert result.context == Passenger(confirmation="LL0EH6", name="Ada Lovelace", flight="NW417", seat="14C")
    booking = bookings.find("LL0EH6")
    assert booking is not None
    assert booking.seat == "14C"


def test_general_question_ends_at_the_faq() -> None:
    result = ask("Is there wifi on board?")

    assert result.last_agent == "airline.faq"
    assert "Nordwind-Wifi" in result.final_output


def test_seat_that_is_taken_stays_taken(bookings: BookingDatabase) -> None:
    result = ask("Please give me seat 12A, LL0EH6.")

    assert result.final_output == "Seat 12A is taken."
    assert result.context.seat == "21C"


def test_without_a_booking_the_tool_is_not_there() -> None:
    result = ask("Please give me seat 14C, ABC123.")

    assert "no booking" in result.final_output
    assert "change_seat" not in str(result.new_items)


def test_seat_that_was_not_named_is_asked_for() -> None:
    result = ask("Another seat, please: LL0EH6.")

    assert result.final_output == "Which seat would you like?"
    assert result.context.seat == "21C"


def test_seat_desk_says_nothing_before_it_has_used_a_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    passenger = Passenger(confirmation="LL0EH6", name="Ada Lovelace", flight="NW417", seat="21C")
    model = ScriptedModel([function_call("change_seat", {"seat": "14C"}), "Done."])

    monkeypatch.setattr(airline.seats, "model", model)

    run_inline(airline.seats, "14C, please.", context=passenger)

    assert [request.settings.tool_choice for request in model.requests] == ["required", None]


def test_desk_without_a_context_says_how_to_give_one() -> None:
    with pytest.raises(UserError, match="--context"):
        run_inline(airline.airline, "Please give me seat 14C, LL0EH6.", settings=REHEARSAL)


@pytest.mark.parametrize("seat", ["26A", "0A", "7G", "A7"])
def test_seat_that_does_not_exist_is_refused(bookings: BookingDatabase, seat: str) -> None:
    with pytest.raises(ValueError, match="no seat"):
        bookings.move("LL0EH6", seat)


def test_moving_twice_changes_nothing_more(bookings: BookingDatabase) -> None:
    assert bookings.move("LL0EH6", "14C") == bookings.move("ll0eh6", "14C")


def test_move_of_an_unknown_booking_is_refused(bookings: BookingDatabase) -> None:
    with pytest.raises(ValueError, match="no booking"):
        bookings.move("ABC123", "14C")
