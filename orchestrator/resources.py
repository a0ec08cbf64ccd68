"""Objects that stay in a worker: database pools, HTTP clients, loaded models."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

R = TypeVar("R")

logger = logging.getLogger(__name__)
_made: dict[Callable[[], Any], Any] = {}
_lock = threading.RLock()


def get_resource(factory: Callable[[], R]) -> R:
    """The one object that `factory` makes in this process."""
    with _lock:
        if factory not in _made:
            _made[factory] = factory()
        return cast(R, _made[factory])


def close_resources() -> None:
    """Close what has a `close()`, and forget everything. Called when a worker stops."""
    with _lock:
        for factory, made in _made.items():
            _close(factory, made)
        _made.clear()


def _close(factory: Callable[[], Any], made: Any) -> None:
    close = getattr(made, "close", None)
    if not callable(close):
        return
    try:
        close()
    except Exception:
        logger.exception("Closing the resource made by %r failed", factory)


@contextmanager
def override_resource(factory: Callable[[], R], value: R) -> Iterator[None]:
    """Let `factory` stand for `value` inside the block; for tests."""
    with _lock:
        missing = object()
        before = _made.get(factory, missing)
        _made[factory] = value
    try:
        yield
    finally:
        with _lock:
            if before is missing:
                _made.pop(factory, None)
            else:
                _made[factory] = before
