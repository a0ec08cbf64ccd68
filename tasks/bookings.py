"""The airline's bookings: a small SQLite database that the customer-service desk reads and writes."""

from __future__ import annotations

import re
import sqlite3
import threading
from pathlib import Path

from pydantic import BaseModel

from orchestrator.settings import load_settings

FILE_NAME = "bookings.sqlite3"
SEAT = re.compile(r"(?:[1-9]|1\d|2[0-5])[A-F]")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bookings (
    confirmation TEXT PRIMARY KEY, name TEXT NOT NULL, flight TEXT NOT NULL, seat TEXT NOT NULL,
    UNIQUE (flight, seat));
"""

_SEED = [
    ("LL0EH6", "Ada Lovelace", "NW417", "21C"),
    ("QX7T2M", "Bob Bemer", "NW417", "12A"),
    ("ZP44K9", "Cleo Kraft", "NW902", "3D"),
]


class Booking(BaseModel):
    """One passenger's place on one flight."""

    confirmation: str
    name: str
    flight: str
    seat: str


class BookingDatabase:
    """Bookings. One connection a process, shared by its threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, check_same_thread=False, timeout=10)
        self._connection.row_factory = sqlite3.Row
        self._lock = threading.Lock()
        with self._lock, self._connection:
            self._connection.executescript(_SCHEMA)
            self._connection.executemany("INSERT OR IGNORE INTO bookings VALUES (?, ?, ?, ?)", _SEED)

    def find(self, confirmation: str) -> Booking | None:
        """The booking of that confirmation number."""
        with self._lock:
            row = self._connection.execute(
                "SELECT * FROM bookings WHERE confirmation = ?", (confirmation.upper(),)
            ).fetchone()
        return Booking(**dict(row)) if row else None

    def move(self, confirmation: str, seat: str) -> Booking:
        """Change the seat; moving to one's own changes nothing. Raises `ValueError` for a seat that is not free."""
        if not SEAT.fullmatch(seat):
            raise ValueError(f"There is no seat {seat}: rows are 1 to 25, seats A to F.")
        try:
            with self._lock, self._connection:
                changed = self._connection.execute(
                    "UPDATE bookings SET seat = ? WHERE confirmation = ?", (seat, confirmation.upper())
                ).rowcount
        except sqlite3.IntegrityError as error:
            raise ValueError(f"Seat {seat} is taken.") from error
        if not changed:
            raise ValueError(f"There is no booking {confirmation}.")
        booking = self.find(confirmation)
        assert booking is not None
        return booking

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def open_bookings() -> BookingDatabase:
    """The database in the data folder, made and filled if it is not there. For `ctx.resource(open_bookings)`."""
    return BookingDatabase(load_settings().data_dir / FILE_NAME)
