"""Finds the Celery app that `-A` names, as Celery does, with errors that name the remedy."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from orchestrator.cli.exits import CommandError
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.celery.runtime import Orchestrator

DEFAULT_MODULE = "workers.app"


@dataclass(frozen=True)
class LoadedApp:
    """A Celery app with its orchestrator, and the module that it came from."""

    spec: str
    """What `-A` takes to find it again: `module:attribute`."""
    app: Any
    module: ModuleType
    orchestrator: Orchestrator


def load_app(named: str | None) -> LoadedApp:
    """The app that is named, or `workers.app`. Raises `CommandError` naming it and what to do."""
    add_current_folder()
    module_name, _, attribute = (named or _default_module()).partition(":")
    module, attribute = _import(module_name, attribute)
    attribute = _find_attribute(module, attribute)
    app = getattr(module, attribute)
    spec = f"{module.__name__}:{attribute}"
    orchestrator = getattr(app, "orchestrator", None)
    if orchestrator is None:
        raise CommandError(
            f"The Celery app `{spec}` has no agents. "
            "Call `orchestrator.install(app, agents=[…])` or `modules=[…]` in its module."
        )
    return LoadedApp(spec, app, module, orchestrator)


def add_current_folder() -> None:
    """Make the current folder's modules importable, as `celery -A` does."""
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _default_module() -> str:
    add_current_folder()
    try:
        found = importlib.util.find_spec(DEFAULT_MODULE)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise CommandError(
            f"Which app? There is no module `{DEFAULT_MODULE}` in {os.getcwd()}. "
            "Name yours: `orchestrator -A module …`, or set ORCHESTRATOR_APP."
        )
    return DEFAULT_MODULE


def _import(name: str, attribute: str) -> tuple[ModuleType, str]:
    try:
        return importlib.import_module(name), attribute
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise CommandError(
                f"Module `{name}` needs `{error.name}`, which is not installed. Install it here."
            ) from error
        parent, _, last = name.rpartition(".")
        if parent and not attribute and error.name == name:
            return _import(parent, last)  # Celery takes `-A module.attribute` as well
        raise CommandError(
            f"There is no module `{name}` to be found from {os.getcwd()}. "
            "Go to the folder that holds it, or correct -A (ORCHESTRATOR_APP)."
        ) from error
    except OrchestratorError as error:
        raise CommandError(f"Module `{name}` cannot be loaded: {error.message}") from error
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({place.filename}, line {place.lineno})"
        raise CommandError(f"Module `{name}` cannot be imported: {reason}") from error


def _find_attribute(module: ModuleType, attribute: str) -> str:
    apps = [name for name, value in vars(module).items() if is_celery_app(value)]
    if attribute:
        if is_celery_app(getattr(module, attribute, None)):
            return attribute
        raise CommandError(f"`{module.__name__}:{attribute}` is no Celery app.{_offer(module, apps)}")
    preferred = [name for name in ("app", "celery", *apps) if name in apps]
    if preferred:
        return preferred[0]
    raise CommandError(
        f"Module `{module.__name__}` has no Celery app. "
        "Make one there, `app = create_app(modules=[…])`, or name it: `-A module:attribute`."
    )


def is_celery_app(value: Any) -> bool:
    """Whether a value is a Celery app. Celery itself is imported in `orchestrator/celery` alone."""
    classes = type(value).__mro__
    return any(cls.__name__ == "Celery" and cls.__module__.startswith("celery.") for cls in classes)


def _offer(module: ModuleType, apps: list[str]) -> str:
    names = ", ".join(f"`{module.__name__}:{name}`" for name in apps)
    return f" There is: {names}." if names else " The module has none at all."
