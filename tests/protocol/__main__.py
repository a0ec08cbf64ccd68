"""Prints the table of checked rows.

python -m tests.protocol            all but the deep rows, in a few minutes
python -m tests.protocol NAME ...   these rows, each with its counterexample
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.protocol.model import Model
from tests.protocol.rows import DEEP, QUICK, SLOW, Row
from tests.protocol.search import Verdict, explore


def main(names: Sequence[str]) -> int:
    """Check rows side by side; the number of verdicts that are not the expected ones."""
    known = {row.name: row for row in QUICK + SLOW + DEEP}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"No such row: {', '.join(unknown)}. There are: {', '.join(known)}.")
    rows = [known[name] for name in names] or QUICK + SLOW
    wrong: list[str] = []
    print(f"{'row':22}{'states':>9}{'s':>7}  verdict")
    with ProcessPoolExecutor() as pool:
        for row, (verdict, seconds) in zip(rows, pool.map(check, rows), strict=True):
            if not verdict.text.startswith(row.expected):
                wrong.append(row.name)
            print(f"{row.name:22}{verdict.states:9}{seconds:7.1f}  {verdict.text}   ({row.note})", flush=True)
            if names:
                print("".join(f"       {line}\n" for line in verdict.trace), end="")
    print(f"NOT AS EXPECTED: {', '.join(wrong)}" if wrong else "Every verdict is the expected one.")
    return len(wrong)


def check(row: Row) -> tuple[Verdict, float]:
    """The row's verdict and how many seconds it took."""
    began = time.monotonic()
    verdict = explore(Model(row.rules))
    return verdict, time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
