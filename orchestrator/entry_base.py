"""`EntryBase`: what all entries of a ledger share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

VERSION = 1


class EntryBase(BaseModel):
    """What all entries share."""

    model_config = ConfigDict(frozen=True)

    v: int = VERSION
