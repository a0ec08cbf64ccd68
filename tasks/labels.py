"""Return labels: a Code 39 barcode drawn as SVG. Stands for the work that belongs on CPU workers."""

from __future__ import annotations

_NARROW, _WIDE, _HEIGHT = 2, 5, 60

# Code 39: nine bars and spaces in turn a character, three of them wide.
_CODE_39 = {
    "0": "nnnwwnwnn", "1": "wnnwnnnnw", "2": "nnwwnnnnw", "3": "wnwwnnnnn", "4": "nnnwwnnnw",
    "5": "wnnwwnnnn", "6": "nnwwwnnnn", "7": "nnnwnnwnw", "8": "wnnwnnwnn", "9": "nnwwnnwnn",
    "A": "wnnnnwnnw", "B": "nnwnnwnnw", "C": "wnwnnwnnn", "D": "nnnnwwnnw", "E": "wnnnwwnnn",
    "F": "nnwnwwnnn", "R": "wnnnnnwwn", "-": "nwnnnnwnw", "*": "nwnnwnwnn",
}  # fmt: skip


def draw_label(order_id: str) -> str:
    """An SVG label with the order's return number. Raises `ValueError` for characters that have no bars."""
    number = f"R-{order_id}"
    if unknown := sorted(set(number) - set(_CODE_39)):
        raise ValueError(f"A return number cannot hold {unknown}.")
    x, bars = 10, []
    for character in f"*{number}*":
        for index, width in enumerate(_CODE_39[character]):
            size = _WIDE if width == "w" else _NARROW
            if index % 2 == 0:
                bars.append(f'<rect x="{x}" y="10" width="{size}" height="{_HEIGHT}"/>')
            x += size
        x += _NARROW
    text = f'<text x="{x / 2:g}" y="{_HEIGHT + 30}" text-anchor="middle" font-family="monospace">{number}</text>'
    area = f'width="{x + 10}" height="{_HEIGHT + 40}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {area}>{"".join(bars)}{text}</svg>'
