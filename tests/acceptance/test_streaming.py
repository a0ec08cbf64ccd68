"""Replies are read while real workers write them: resumed, retried, and over HTTP as docs/streaming.md shows."""

from __future__ import annotations

import json
import re
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest
import uvicorn

from orchestrator import Delta, Event
from tests.acceptance.conftest import APP, impatient
from tests.acceptance.shop import Shop
from tests.support.stack import REPOSITORY, Stack, wait_until

SECONDS = 60
SLOW = {"ORCHESTRATOR_REHEARSAL_LATENCY_SECONDS": "3"}
TEXT = " ".join(f"word{number}" for number in range(60))
STREAM = {"stream": True}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One worker, whose model takes seconds to write a reply."""
    with Stack(tmp_path_factory.mktemp("stack"), app=APP, environment={**impatient(), **SLOW}) as stack:
        stack.start_worker()
        yield stack


def deltas_of(events: list[Event]) -> list[Delta]:
    return [event.entry for event in events if isinstance(event.entry, Delta)]


def test_text_comes_in_pieces_before_the_reply(shop: Shop) -> None:
    events = list(shop.echo.submit(TEXT, run_options=STREAM).events(deltas=True))

    pieces = deltas_of(events)
    assert len(pieces) > 10
    assert "".join(piece.text for piece in pieces) == TEXT
    assert [piece.offset for piece in pieces] == [
        sum(len(piece.text) for piece in pieces[:number]) for number in range(len(pieces))
    ]
    assert {(piece.agent, piece.turn) for piece in pieces} == {("echo", 1)}
    others = [event.type for event in events if event.type != "delta"]
    assert others == ["input", "invocation", "reply", "outcome"]
    assert [event.type for event in events][-3:] == ["delta", "reply", "outcome"]


def test_reader_who_comes_in_time_needs_no_option(shop: Shop, key: str) -> None:
    run = shop.echo.submit(TEXT, queue=key)
    stream = run.events(deltas=True)
    seen = [next(stream)]

    shop.app.control.add_consumer(key, reply=True)
    seen += stream

    assert "".join(piece.text for piece in deltas_of(seen)) == TEXT


def test_nothing_is_published_while_nobody_reads(shop: Shop) -> None:
    run = shop.echo.submit("hello")
    run.result(SECONDS)

    assert deltas_of(list(run.events(deltas=True))) == []


def test_called_agents_stream_under_their_own_run(shop: Shop) -> None:
    events = list(shop.manager.submit("a", run_options=STREAM).events(deltas=True))

    texts = dict.fromkeys(dict.fromkeys(event.run_id for event in events), "")
    for event in events:
        texts[event.run_id] += event.entry.text if isinstance(event.entry, Delta) else ""
    assert list(texts.values()) == ["manager(expert(a))", "expert(a)"]


def test_reader_goes_on_behind_the_last_piece_that_it_has(shop: Shop) -> None:
    run = shop.echo.submit(TEXT, run_options=STREAM)
    first = []
    for event in run.events(deltas=True):
        first.append(event)
        if len(deltas_of(first)) == 3:
            break

    rest = list(run.events(deltas=True, after=first[-1].cursor))

    assert "".join(piece.text for piece in deltas_of([*first, *rest])) == TEXT
    assert [event.type for event in [*first, *rest] if event.type != "delta"][-2:] == ["reply", "outcome"]


def test_pieces_of_a_killed_worker_are_told_from_those_that_count(shop: Shop, stack: Stack) -> None:
    run = shop.echo.submit(TEXT, run_options=STREAM)
    text, attempts = "", []
    for event in run.events(deltas=True):
        if not isinstance(event.entry, Delta):
            continue
        piece = event.entry
        text = text[: piece.offset] + piece.text
        if not attempts:
            stack.processes[-1].kill()
            stack.start_worker(f"worker{len(stack.processes)}")
        attempts.append(piece.attempt)

    assert text == TEXT
    assert attempts == sorted(attempts)
    assert len(set(attempts)) == 2


# ---- over HTTP ----------------------------------------------------------------------------------


@pytest.fixture
def web(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the page's example, served as it stands there, with the shop in the place of its own."""
    page = (REPOSITORY / "docs" / "streaming.md").read_text(encoding="utf-8")
    [code] = re.findall(r"^```python\n(import json\n.*?)^```$", page, re.M | re.S)
    module = types.ModuleType("shop")
    vars(module).update(app=shop.app, triage=shop.echo)
    monkeypatch.setitem(sys.modules, "shop", module)
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    config = uvicorn.Config(namespace["web"], port=0, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, "the web server starts")
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def ask(web: str, text: str) -> str:
    request = Request(f"{web}/ask", json.dumps({"text": text}).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=SECONDS) as response:
        return str(json.load(response)["run"])


def listen(web: str, run: str, *, last_id: str = "", limit: int = 1_000) -> list[dict[str, Any]]:
    """The events that a browser would get; it goes away after `limit` of them."""
    request = Request(f"{web}/events/{run}", headers={"Last-Event-ID": last_id} if last_id else {})
    found: list[dict[str, Any]] = []
    with urlopen(request, timeout=SECONDS) as response:
        for line in response:
            if line.startswith(b"data: "):
                found.append(json.loads(line.removeprefix(b"data: ")))
            if len(found) == limit:
                break
    return found


def test_browser_gets_pieces_over_http_and_goes_on_where_it_was_cut_off(web: str) -> None:
    run = ask(web, TEXT)

    first = listen(web, run, limit=6)
    rest = listen(web, run, last_id=first[-1]["cursor"])

    events = [*first, *rest]
    assert "".join(event["entry"]["text"] for event in events if event["kind"] == "delta") == TEXT
    assert events[-1]["entry"]["output"] == TEXT
    assert listen(web, run, last_id=events[-1]["cursor"]) == []
