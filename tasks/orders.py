"""The shop's orders: a small SQLite database that the support desk's tools read and write."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from pydantic import BaseModel

from orchestrator.settings import load_settings

FILE_NAME = "orders.sqlite3"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY, customer TEXT NOT NULL, item TEXT NOT NULL, price_cents INTEGER NOT NULL,
    status TEXT NOT NULL, delivered_days_ago INTEGER, tracking TEXT);
CREATE TABLE IF NOT EXISTS refunds (
    refund_key TEXT PRIMARY KEY, order_id TEXT NOT NULL REFERENCES orders, amount_cents INTEGER NOT NULL,
    reason TEXT NOT NULL);
"""

_SEED = [
    ("A1001", "ada@example.com", "USB-C charger 65 W", 3900, "delivered", 6, "TRK-7781"),
    ("A1002", "ada@example.com", "Mechanical keyboard", 12900, "in transit", None, "TRK-7790"),
    ("B2001", "bob@example.com", "Espresso machine", 54900, "delivered", 74, "TRK-6402"),
    ("B2002", "bob@example.com", "Coffee beans 1 kg", 2400, "delivered", 3, "TRK-7805"),
    ("C3001", "cleo@example.com", "Noise-cancelling headphones", 19900, "delivered", 12, "TRK-7710"),
]


class Order(BaseModel):
    """One order. Money is in cents."""

    order_id: str
    customer: str
    item: str
    price_cents: int
    status: str
    delivered_days_ago: int | None
    tracking: str | None


class OrderDatabase:
    """Orders and refunds. One connection a process, shared by its threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, check_same_thread=False, timeout=10)
        self._connection.row_factory = sqlite3.Row
        self._lock = threading.Lock()
        with self._lock, self._connection:
            self._connection.executescript(_SCHEMA)
            self._connection.executemany("INSERT OR IGNORE INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", _SEED)

    def find(self, order_id: str) -> Order | None:
        """The order of that id."""
        with self._lock:
            row = self._connection.execute("SELECT * FROM orders WHERE order_id = ?", (order_id,)).fetchone()
        return Order(**dict(row)) if row else None

    def of_customer(self, customer: str) -> list[Order]:
        """All orders of a customer, by their e-mail address."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT * FROM orders WHERE customer = ? ORDER BY order_id", (customer,)
            ).fetchall()
        return [Order(**dict(row)) for row in rows]

    def refunded_cents(self, customer: str) -> int:
        """What this customer has got back so far."""
        with self._lock:
            (total,) = self._connection.execute(
                "SELECT COALESCE(SUM(amount_cents), 0) FROM refunds JOIN orders USING (order_id) WHERE customer = ?",
                (customer,),
            ).fetchone()
        return int(total)

    def paid_back_cents(self, order_id: str) -> int:
        """What was paid back for this order so far."""
        with self._lock:
            (total,) = self._connection.execute(
                "SELECT COALESCE(SUM(amount_cents), 0) FROM refunds WHERE order_id = ?", (order_id,)
            ).fetchone()
        return int(total)

    def refund(self, refund_key: str, order_id: str, amount_cents: int, reason: str) -> int:
        """Pay back, once per key however often it is asked; returns what this key has paid."""
        with self._lock, self._connection:
            self._connection.execute(
                "INSERT OR IGNORE INTO refunds VALUES (?, ?, ?, ?)", (refund_key, order_id, amount_cents, reason)
            )
            (paid,) = self._connection.execute(
                "SELECT amount_cents FROM refunds WHERE refund_key = ?", (refund_key,)
            ).fetchone()
        return int(paid)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def open_orders() -> OrderDatabase:
    """The database in the data folder, made and filled if it is not there. For `ctx.resource(open_orders)`."""
    return OrderDatabase(load_settings().data_dir / FILE_NAME)
