"""An airline's customer service: agents that hand the conversation round in a circle until all is answered.

Triage hands over to the FAQ desk or to seat booking, and each hands back what is not theirs. The passenger's
booking is looked up on the way to seat booking, and kept in the run's context.

    orchestrator run airline "How many bags may I take? And seat 14C, please: my confirmation number is LL0EH6." \
        --context '{}'
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, Field

from orchestrator import Agent, ModelSettings, RunContext, StopAtTools, ToolContext, UserError, function_tool, handoff
from tasks.bookings import open_bookings
from tasks.rehearsal import airline as rehearsal

FAQ = Path(__file__).parent / "data" / "airline_faq.json"


class Passenger(BaseModel):
    """Who writes, as far as is known. Set on the way to seat booking, and by its tool."""

    confirmation: str | None = None
    name: str | None = None
    flight: str | None = None
    seat: str | None = None


class SeatRequest(BaseModel):
    """What triage passes on with the conversation."""

    confirmation: str = Field(description="The confirmation number, six letters and digits; empty if not known.")


class Question(BaseModel):
    """An entry of the FAQ."""

    topic: str
    words: list[str]
    answer: str


def load_faq() -> list[Question]:
    """The airline's FAQ. For `ctx.resource(load_faq)`."""
    return [Question(**entry) for entry in json.loads(FAQ.read_text(encoding="utf-8"))]


@function_tool
def look_up_faq(ctx: RunContext[Passenger], question: str) -> str:
    """Find what the airline says about a topic, such as bags, pets, wifi, check-in or the aircraft's seats.

    Args:
        question: The passenger's question, in a few words.
    """
    asked = set(question.lower().replace("?", " ").replace(",", " ").split())
    entries = ctx.resource(load_faq)
    found = [entry.answer for entry in entries if asked & set(entry.words)]
    topics = ", ".join(entry.topic for entry in entries)
    return "\n".join(found) or f"The FAQ has nothing about that. It has: {topics}."


def find_booking(ctx: RunContext[Passenger], request: SeatRequest) -> None:
    """On the way to seat booking: whose booking it is. May run twice after a crash, and finds the same."""
    if ctx.context is None:
        raise UserError("The airline's desk keeps the booking in the run's context. Submit with one: `--context '{}'`.")
    booking = ctx.resource(open_bookings).find(request.confirmation)
    if booking is None:
        return
    passenger = ctx.context
    passenger.confirmation, passenger.name = booking.confirmation, booking.name
    passenger.flight, passenger.seat = booking.flight, booking.seat


def _explain(context: RunContext[Passenger], error: Exception) -> str:
    return str(error)


def has_booking(ctx: RunContext[Passenger], agent: object) -> bool:
    """Seats can be changed once it is known whose."""
    return ctx.context.confirmation is not None


@function_tool(failure_error_function=_explain, is_enabled=has_booking)
def change_seat(ctx: ToolContext[Passenger], seat: str) -> str:
    """Move the passenger to another seat on their flight.

    Args:
        seat: The wanted seat, such as 14C.
    """
    booking = ctx.resource(open_bookings).move(ctx.context.confirmation or "", seat.upper())
    ctx.context.seat = booking.seat
    return f"{booking.name} now has seat {booking.seat} on flight {booking.flight}."


@function_tool
def ask_passenger(question: str) -> str:
    """Ask the passenger for what is missing. Their answer is the next message.

    Args:
        question: What you ask, such as which seat they want.
    """
    return question


def seat_instructions(ctx: RunContext[Passenger], agent: object) -> str:
    """What is known of the passenger goes into the prompt."""
    known = ctx.context
    if known.confirmation is None:
        return (
            "You change seats. No booking was found under the confirmation number that the passenger gave. Ask them "
            "for the right one, six letters and digits."
        )
    return (
        f"You change seats. You are talking to {known.name}, flight {known.flight}, seat {known.seat} at present. "
        "Change it to the seat that they want; if that is taken, say so and ask for another. Hand back to airline what "
        "is not about their seat and has not been looked up yet; never answer it yourself. At the end, say in at most "
        "four sentences what this conversation has brought for each of their questions."
    )


faq = Agent[Passenger](
    name="airline.faq",
    handoff_description="General questions: bags, pets, wifi, check-in, the aircraft.",
    instructions=(
        "You answer general questions about the airline. Look every answer up with your tool; never answer from your "
        "own knowledge. If the passenger also wants their seat changed, say what you found and hand back to airline in "
        "the same turn. Else answer in at most three sentences."
    ),
    tools=[look_up_faq],
    # A small model made an answer up. Required for the first call only: `reset_tool_choice`.
    model_settings=ModelSettings(tool_choice="required"),
    rehearsal=rehearsal.faq,
)

seats = Agent[Passenger](
    name="airline.seats",
    handoff_description="Changing the seat of a booking.",
    instructions=seat_instructions,
    tools=[change_seat, ask_passenger],
    # As above: a small model told passengers of seats that it had not changed.
    model_settings=ModelSettings(tool_choice="required"),
    tool_use_behavior=StopAtTools(stop_at_tool_names=["ask_passenger"]),
    rehearsal=rehearsal.seats,
)

airline = Agent[Passenger](
    name="airline",
    handoff_description="Knows who can answer what.",
    instructions=(
        "You are the first to read what passengers write to an airline. Hand over to the desk that can answer; do not "
        "answer yourself. If there are several questions, begin with the general ones, and do not hand over again what "
        "has been answered already."
    ),
    handoffs=[faq, handoff(seats, input_type=SeatRequest, on_handoff=find_booking)],
    rehearsal=rehearsal.airline,
)

faq.handoffs.append(airline)
seats.handoffs.append(airline)
