"""What a message says about its delivery: which publication it is, and whether it was given out before."""

from __future__ import annotations

import json
import os
from typing import Any

PUBLISH_ID = "publish_id"
"""Property under which our transport hands on the id of the publication, on delivery alone."""


def message_id_of(request: Any) -> str:
    """The id of the message that a task's request came with, for `Ledger.claim`.

    On our transport it is the publication's: a message that comes again has lost its holder, so whoever gets it may
    take over at once. Other transports give a message out again while it is worked on (stock Redis: visibility
    timeout) or do not tell publications apart: there every delivery counts as another message.
    """
    publish_id = (request.properties or {}).get(PUBLISH_ID)
    return f"{request.id}/{publish_id or os.urandom(6).hex()}"


def prepare_delivery(payload: dict[str, Any], tag: str) -> None:
    """Give a message the tag of this delivery, and keep its publisher's tag as the publication's id.

    As on AMQP, a tag names one delivery: two copies of a message in one process must not acknowledge each other.
    """
    properties = payload["properties"]
    properties[PUBLISH_ID] = properties["delivery_tag"]
    properties["delivery_tag"] = tag


def mark_redelivered(text: bytes) -> bytes:
    """The text of a message as it goes back into its queue. What cannot be read stays as it is."""
    try:
        payload = json.loads(text)
        payload["headers"]["redelivered"] = True
        payload["properties"]["delivery_info"]["redelivered"] = True
    except (ValueError, KeyError, TypeError):
        return text
    return json.dumps(payload).encode()
