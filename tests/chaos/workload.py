"""What a producer asks for in the chaos round, and the right answers.

All ids are chosen here, so that whatever is in doubt can be asked for again without asking twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from celery import Celery, chain, chord, group

from tests.chaos.chaos_app import RELAY

Submit = Callable[[Celery], object]


@dataclass(frozen=True)
class Item:
    """One thing that a producer asks for: a run, or a canvas with runs in it."""

    subject: str
    kind: str
    submit: Submit
    run_ids: Sequence[str]
    """The runs, apart from those that agents start."""
    answers: Mapping[str, str]
    """The right result of every task id that a producer may hold."""
    followers: Sequence[str] = ()
    """The ids of the ordinary tasks."""

    @property
    def last_id(self) -> str:
        """The task whose result says that all is done."""
        return list(self.answers)[-1]


ANSWERS = {
    "clerk": lambda text: f"clerk({text})",
    "triage": lambda text: f"closer({text})",
    "manager": lambda text: f"manager({text})",
    "packer": lambda text: f"packer({text})",
    "everything": lambda text: f"finisher({text})",
    RELAY: lambda text: f"packer(clerk({text}))",
}
"""What each agent answers, and the flow."""


def make_items(count: int) -> list[Item]:
    """A mix with about `count` runs, whatever agents start as tools not counted."""
    items: list[Item] = []
    chains = [_chain(name) for name in ("triage", "manager", "packer", RELAY)]
    makers = [*(_single(name) for name in ANSWERS), *chains, _chord]
    while sum(len(item.run_ids) for item in items) < count:
        items.append(makers[len(items) % len(makers)](f"item-{len(items)}"))
    return items


def _single(agent: str) -> Callable[[str], Item]:
    def make(subject: str) -> Item:
        def submit(app: Celery) -> object:
            return app.orchestrator.submit(agent, subject, run_id=subject)  # type: ignore[attr-defined]

        return Item(subject, agent, submit, [subject], {subject: ANSWERS[agent](subject)})

    return make


def _chain(agent: str) -> Callable[[str], Item]:
    def make(subject: str) -> Item:
        first, run_id, third, last = (f"{subject}-{name}" for name in ("prepare", "agent", "keep", "last"))

        def submit(app: Celery) -> object:
            return chain(
                app.signature("chaos.prepare", (subject,), task_id=first),
                _agent(app, agent).set(task_id=run_id),
                app.signature("chaos.keep", (subject,), task_id=third),
                app.signature("chaos.keep", (subject,), task_id=last),
            ).apply_async()

        answer = ANSWERS[agent](f"prepared {subject}")
        answers = {first: f"prepared {subject}", run_id: answer, third: f"kept {answer}", last: f"kept kept {answer}"}
        return Item(subject, f"chain of {agent}", submit, [run_id], answers, [first, third, last])

    return make


def _chord(subject: str) -> Item:
    runs = {f"{subject}-{number}": name for number, name in enumerate(("clerk", "everything", RELAY), start=1)}
    prepared, body = f"{subject}-4", f"{subject}-gather"

    def submit(app: Celery) -> object:
        header = group(
            *(_agent(app, name, run_id).set(task_id=run_id) for run_id, name in runs.items()),
            app.signature("chaos.prepare", (prepared,), task_id=prepared),
        )
        # The body's id, and the group's: sent again, it is the same chord.
        return chord(header, app.signature("chaos.gather", kwargs={"subject": subject})).set(task_id=body).apply_async()

    answers = {**{run_id: ANSWERS[name](run_id) for run_id, name in runs.items()}, prepared: f"prepared {prepared}"}
    answers[body] = "gathered " + " + ".join(answers.values())
    return Item(subject, "chord", submit, list(runs), answers, [prepared, body])


def _agent(app: Celery, name: str, *args: str) -> object:
    return app.orchestrator.registry.find(name).s(*args)  # type: ignore[attr-defined]
