"""The deployment's files name modules, files and settings that exist."""

import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "celery-orchestrator"]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()


def option(command: list[str], name: str) -> str:
    """The value of `-x value` or `--name=value`."""
    for word, following in zip(command, [*command[1:], ""], strict=True):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.removeprefix(f"{name}=")
    raise AssertionError(f"no {name} in {command}")


def test_compose_starts_a_server_two_kinds_of_worker_and_flower() -> None:
    assert set(SERVICES) == {"valkey", "llm-worker", "cpu-worker", "flower"}


def test_valkey_keeps_an_append_only_file_on_a_volume() -> None:
    valkey = SERVICES["valkey"]

    command = shlex.split(valkey["command"])

    assert option(command, "--appendonly") == "yes"
    assert option(command, "--maxmemory-policy") == "noeviction"
    assert valkey["volumes"][0].split(":")[0] in COMPOSE["volumes"]
    assert valkey["healthcheck"]["test"]


@pytest.mark.parametrize("name", ["llm-worker", "cpu-worker"])
def test_worker_is_a_module_of_workers(name: str) -> None:
    command = shlex.split(SERVICES[name]["command"])

    module = importlib.import_module(command[2])

    assert command[:2] == ["python", "-m"]
    assert module.COMMAND[0] == "worker"


@pytest.mark.parametrize("name", OURS)
def test_process_waits_for_valkey_and_builds_from_the_root(name: str) -> None:
    service = SERVICES[name]

    assert service["depends_on"]["valkey"]["condition"] == "service_healthy"
    assert (ROOT / "deploy" / service["build"]["context"]).resolve() == ROOT
    assert (ROOT / service["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("name", ["llm-worker", "cpu-worker"])
def test_health_check_asks_for_the_worker_by_its_name(name: str) -> None:
    service = SERVICES[name]

    command = importlib.import_module(shlex.split(service["command"])[2]).COMMAND

    assert option(command, "--hostname") == f"{service['environment']['WORKER']}@%h"
    assert '"$WORKER@$HOSTNAME"' in DOCKERFILE


def test_flower_configuration_exists() -> None:
    command = shlex.split(SERVICES["flower"]["command"])

    assert (ROOT / option(command, "--conf")).is_file()


def test_flower_is_published_on_the_loopback_address_only() -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["flower"]["ports"])


@pytest.mark.parametrize("path", ["deploy/compose.yaml", "docs/operations.md", "docs/models.md"])
def test_every_variable_named_is_a_setting(path: str) -> None:
    named = set(re.findall(r"ORCHESTRATOR_[A-Z_]+", (ROOT / path).read_text()))

    assert named <= {f"ORCHESTRATOR_{field.upper()}" for field in Settings.model_fields}


def test_dockerfile_copies_paths_that_exist() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)

    assert {"orchestrator", "tasks", "workers"} <= set(copied)
    assert [path for path in copied if not (ROOT / path).exists()] == []


def test_image_runs_the_llm_worker_of_compose_without_rights() -> None:
    default = re.search(r"^CMD \[(.*)\]$", DOCKERFILE, re.MULTILINE)

    assert default is not None
    assert re.findall(r'"([^"]*)"', default[1]) == shlex.split(SERVICES["llm-worker"]["command"])
    assert "\nUSER orchestrator\n" in DOCKERFILE


def test_locks_have_hashes_and_name_no_host() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        text = lock.read_text()

        pinned = re.findall(r"^[a-z0-9][^=\n]*==.*\\\n    --hash=sha256:", text, re.MULTILINE)

        assert len(pinned) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)), lock
        assert not re.search(r"https?://|index-url|find-links", text), lock
