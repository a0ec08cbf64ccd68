"""Every command of `docs/jobs.md`, on real workers: the jobs of `tasks/` as `workers/app.py` installs them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import Orchestrator
from orchestrator.loop import background
from tests.acceptance.conftest import producing_by_name
from tests.support.stack import REPOSITORY, Stack, wait_until

pytestmark = pytest.mark.slow

SECONDS = 60
PAGE = REPOSITORY / "docs" / "jobs.md"
COMMANDS = list(dict.fromkeys(re.findall(r"`(orchestrator run [^`]+)`", PAGE.read_text(encoding="utf-8"))))

EXPECTED = {
    "triage": "39.00 EUR are on their way back to you",
    "airline": "Ada Lovelace now has seat 14C",
    "languages": "Le samedi, nous sommes ouverts",
    "weather": "Lisbon has 14 to 22 °C",
    "weather.raw": '"high_c": 22',
    "weather.stop": '"city": "Lisbon"',
    "weather.table": "Athens   May   17 to 26 °C",
    "announcement": '"text": "New: Failed model calls',
    "blog": "it waits, and holds no worker and no message",
    "research": "may happen again",
    "research.lead": "may happen again",
    "translation_desk": '"text": "votre commande est prêt."',
    "translation": "su pedido está listo",
    "story_outline": "They find that they can do it",
    "story": "We meet them: A robot on Mars",
    "inbox": '"action": "pay"',
    "explanation": "nothing is fast enough to get away from it",
    "finance": "margin is 7.6 percent",
}
"""By the name that is run: words of its answer."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two workers of the deployment, and their data in a folder of its own."""
    folder: Path = tmp_path_factory.mktemp("stack")
    environment = {
        "ORCHESTRATOR_DATA_DIR": str(folder / "data"),
        "ORCHESTRATOR_MODEL_API": "rehearsal",
        "ORCHESTRATOR_REHEARSAL_LATENCY_SECONDS": "0",
    }
    with Stack(folder, app="workers.app", environment=environment) as stack:
        workers = [stack.start_worker("llm", queues="agents", wait=False)]
        workers.append(stack.start_worker("cpu", queues="agents,cpu", wait=False))
        for worker in workers:
            worker.wait_for_log("ready.")
        yield stack


@pytest.fixture(scope="module")
def producer(stack: Stack) -> Iterator[Orchestrator]:
    """A producer that has none of the jobs, and submits them by name."""
    with producing_by_name(stack, "agents.triage") as orchestrator:
        yield orchestrator


def read_command(command: str) -> tuple[str, str, dict[str, object] | None]:
    """Name, input and context of `orchestrator run NAME INPUT [--context JSON]`."""
    _, _, name, text, *options = shlex.split(command)
    assert options[::2] in ([], ["--context"])
    return name, text, json.loads(options[1]) if options else None


@pytest.mark.parametrize("command", COMMANDS, ids=[read_command(command)[0] for command in COMMANDS])
def test_job_answers(producer: Orchestrator, command: str) -> None:
    name, text, context = read_command(command)

    answer = producer.submit(name, text, context=context).result(SECONDS)

    shown = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    assert EXPECTED[name] in shown


def test_workers_say_from_which_queue_they_take_what_they_have(producer: Orchestrator) -> None:
    records = {record.task: record.queue for record in background.run(producer.ledger.loaded())}

    assert records.pop("tools.return_label") == "cpu"
    assert set(records.values()) == {"agents"}


def test_next_message_of_a_session_goes_on_with_who_answered(producer: Orchestrator) -> None:
    session = producer.session("customer-7")

    first = session.submit("languages", "Bonjour, êtes-vous ouverts le lundi ?").result(SECONDS)
    second = session.submit("languages", "Et le mardi ?").result(SECONDS)

    assert first == "Le lundi, nous sommes fermés."
    assert second == "Le mardi, nous sommes ouverts : 10:00-18:00."
    assert session.active_agent == "languages.french"
    assert str(session.items()).count("transfer_to_languages_french") == 1


def test_large_refund_waits_for_a_person(producer: Orchestrator) -> None:
    text = "My headphones C3001 are broken, I want my money back"
    run = producer.submit("triage", text, context={"email": "cleo@example.com"})

    (question,) = wait_until(run.approvals, "the run asks", timeout_seconds=SECONDS)
    run.approve(question, by="ann")

    assert "199.00 EUR are on their way back to you" in run.result(SECONDS)["message"]


def test_every_expectation_is_of_a_command() -> None:
    assert set(EXPECTED) == {read_command(command)[0] for command in COMMANDS}
