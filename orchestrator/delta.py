"""`Delta`: a piece of a reply while the model is still writing it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Delta(BaseModel):
    """Text that one attempt at a turn has added. It is no entry: nothing is decided by it, and it expires."""

    model_config = ConfigDict(frozen=True)

    type: Literal["delta"] = "delta"
    agent: str
    turn: int
    """The run's turn, from 1."""
    attempt: int
    """Rises with every attempt at the turn: text of an earlier one counts no more."""
    offset: int
    """Characters of this attempt that came before."""
    text: str
