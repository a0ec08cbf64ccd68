"""The command `python -m benchmarks.profile`: py-spy's record of a worker and a producer while they run `triage`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.drivers.loop import Order
from benchmarks.environment import forget_settings
from benchmarks.model import Model
from benchmarks.model_server import Behaviour
from benchmarks.side import Side

PY_SPY = Path(sys.executable).with_name("py-spy")
SAMPLES_PER_SECOND = 200
WARM_UP_RUNS, IN_FLIGHT = 100, 32
RUNS_PER_SECOND = 150
"""More than a machine of two cores makes, so that there is work until the recording ends."""


def main() -> None:
    """Write a file for speedscope.app for each of the two processes."""
    options = _read_options()
    forget_settings(os.environ)
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="profile-") as folder, Model() as model:
        model.behave(Behaviour())
        with Side("ours", Path(folder), model) as side:
            side.measure(Order("triage", runs=WARM_UP_RUNS, in_flight=IN_FLIGHT))
            side.begin(Order("triage", runs=RUNS_PER_SECOND * options.seconds, in_flight=IN_FLIGHT))
            record(side, options.seconds, options.folder)


def record(side: Side, seconds: int, folder: Path) -> None:
    """Record the side's first worker and its producer at the same time."""
    pids = side.pids()
    files = {role: folder / f"profile-{role}.json" for role in ("worker", "producer")}
    recorders = [
        _start_recorder(pid, seconds, file)
        for pid, file in zip((pids["workers"][0], pids["driver"][0]), files.values(), strict=True)
    ]
    for recorder, file in zip(recorders, files.values(), strict=True):
        said = recorder.communicate()[0]
        if recorder.returncode:
            raise SystemExit(f"py-spy failed, which on some systems may only look into processes as root:\n{said}")
        print(f"Profile: {file} (open it on https://www.speedscope.app)")


def _start_recorder(pid: int, seconds: int, file: Path) -> subprocess.Popen[str]:
    what = ["--pid", str(pid), "--duration", str(seconds), "--rate", str(SAMPLES_PER_SECOND)]
    command = [str(PY_SPY), "record", *what, "--format", "speedscope", "--output", str(file)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="how long to record")
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks"), help="where the files go")
    return parser.parse_args()


if __name__ == "__main__":
    main()
