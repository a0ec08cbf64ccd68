"""Names of the keys that our transport adds to kombu's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LeaseKeys:
    """Whole names, with kombu's `global_keyprefix` in front. A lease's id begins with its place and a colon."""

    prefix: str = ""

    @property
    def leases(self) -> str:
        """A sorted set: lease to the time at which it lapses, in milliseconds of the server's clock."""
        return f"{self.prefix}_leases"

    @property
    def watch(self) -> str:
        """A string that is there while somebody looks after leases."""
        return f"{self.prefix}_leases.watch"

    def unacked(self, lease: str) -> str:
        """A hash: delivery tag to list, wake-up key and text of a message, one a line."""
        return f"{self.prefix}_leases.unacked.{lease}"

    def place(self, lease: str) -> str:
        """A set: the leases of one machine."""
        return f"{self.prefix}_leases.place.{lease.partition(':')[0]}"

    def claim(self, lease: str) -> str:
        """A string: which lease's process puts a lapsed lease's messages back."""
        return f"{self.prefix}_leases.claim.{lease}"

    def wake(self, queue: str) -> str:
        """A sorted set with one member while a queue has messages: what consumers with nothing to do wait for."""
        return f"{self.prefix}_wake.{queue}"
