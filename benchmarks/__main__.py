"""The command: measures, keeps the results as data, prints the report or what changed."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.compare import write_comparison
from benchmarks.environment import forget_settings
from benchmarks.machine import describe_machine
from benchmarks.model import Model
from benchmarks.plots import draw_plots
from benchmarks.report import write_report
from benchmarks.results import Results, Section
from benchmarks.scenarios import flows, in_flight, recovery, scale_out, triage, turns

SCENARIOS: dict[str, Callable[[Bench], Section]] = {
    "triage": triage.run,
    "turns": turns.run,
    "flows": flows.run,
    "in_flight": in_flight.run,
    "scale_out": scale_out.run,
    "recovery": recovery.run,
}
DATA = Path(".benchmarks")


def main() -> None:
    """Measure, or write a report of what was measured before; compare it with something older."""
    options = _read_options()
    if options.of:
        results: Results = options.of
    else:
        forget_settings(os.environ)
        results = _measure_and_keep(options)
    if options.report:
        _write(results, options.report)
    print(write_comparison(options.against, results) if options.against else write_report(results))


def measure(names: Sequence[str], *, is_quick: bool = False, is_long: bool = False) -> Iterator[Results]:
    """Run these scenarios one after the other; after each, all that was found so far."""
    machine, began_at = describe_machine(), time.monotonic()
    sections = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder, Model() as model:
        bench = Bench(Path(folder), model, is_quick, is_long)
        for name in names:
            sections.append(_run_scenario(name, bench))
            found = {
                "seconds": time.monotonic() - began_at,
                "work_milliseconds": tuple(bench.work_milliseconds),
                "other_cores": tuple(bench.other_cores),
            }
            described = machine.model_copy(update=found)
            yield Results(is_quick=is_quick, is_long=is_long, machine=described, sections=tuple(sections))


def _run_scenario(name: str, bench: Bench) -> Section:
    """What it found, how long that took, and how fast the machine was meanwhile."""
    began_at, timed = time.monotonic(), len(bench.work_milliseconds)
    bench.time_work()
    section = SCENARIOS[name](bench)
    bench.time_work()
    seconds, work = time.monotonic() - began_at, tuple(bench.work_milliseconds[timed:])
    bench.say(f"{name}: {seconds:.0f} s in all")
    return section.model_copy(update={"seconds": seconds, "work_milliseconds": work})


def _measure_and_keep(options: argparse.Namespace) -> Results:
    """What was measured before a scenario fails, or somebody loses patience, is kept."""
    names = list(dict.fromkeys(options.only or SCENARIOS))
    for results in measure(names, is_quick=options.quick, is_long=options.long):
        path = _keep(results, options.data)
    print(f"Results: {path}\n")
    return results


def _keep(results: Results, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    began_at = results.machine.began_at[:19].replace(":", "")
    path = folder / f"{began_at}-{results.machine.commit}.json"
    path.write_text(results.model_dump_json(indent=1), encoding="utf-8")
    return path


def _write(results: Results, page: Path) -> None:
    """The page, and beside it a folder of its name with the plots and the data."""
    folder = page.with_suffix("")
    plots = {title: path.relative_to(page.parent) for title, path in draw_plots(results, folder).items()}
    page.write_text(write_report(results, plots), encoding="utf-8")
    (folder / "results.json").write_text(results.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=SCENARIOS, help="this scenario; may be given again")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything works")
    sizes.add_argument("--long", action="store_true", help="more sizes and rounds, for a report that stays")
    parser.add_argument(
        "--report", type=Path, metavar="PAGE", help="write the report with plots, e.g. docs/benchmark-report.md"
    )
    parser.add_argument("--of", type=_read_results, metavar="FILE", help="results from before, in place of measuring")
    parser.add_argument("--against", type=_read_results, metavar="FILE", help="print what changed since these results")
    parser.add_argument("--data", type=Path, default=DATA, metavar="FOLDER", help="where results are kept")
    options = parser.parse_args()
    if options.of and (options.only or options.quick or options.long):
        parser.error("--of measures nothing, so --only, --quick and --long have no place beside it")
    names = {section.name for section in options.of.sections} if options.of else set(options.only or SCENARIOS)
    if options.report and options.report.exists() and (missing := SCENARIOS.keys() - names):
        parser.error(
            f"{options.report} exists, and would lose what it says of {', '.join(sorted(missing))}: measure every "
            "scenario, or name a page that does not exist yet"
        )
    return options


def _read_results(path: str) -> Results:
    try:
        return Results.model_validate_json(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise argparse.ArgumentTypeError(f"{path} does not hold results of `python -m benchmarks`") from None


if __name__ == "__main__":
    main()
