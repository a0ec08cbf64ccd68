"""`Lease`: what this process has taken from a broker and not acknowledged, held for as long as the process lives."""

from __future__ import annotations

import atexit
import itertools
import os
import threading
import time
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from kombu.log import get_logger

from orchestrator.celery.lease_store import LeaseStore, LeaseView
from orchestrator.celery.process_identity import ProcessIdentity
from orchestrator.celery.questions import TakeMessage

logger = get_logger(__name__)

LONGEST_BEAT_SECONDS = 1.5
"""Others notice a lapsed lease within one beat."""
BEATS_A_LEASE = 5
BEATS_AN_AUDIT = 20
LEASES_A_BEAT = 10
RECENT_ACKNOWLEDGEMENTS = 10_000


class Lease:
    """The lease of this process on one broker. Thread-safe: tasks acknowledge from their own threads.

    The server's record of our messages and our own can part, when a connection breaks between the two or the server
    restarts without its last second. An audit compares them, and what is only in the server's record goes back into
    its queue, or is forgotten if we had acknowledged it to this same server. What an earlier one had heard it may
    have forgotten, and with it what the task had sent: such a message goes back, too.
    """

    def __init__(self, store: LeaseStore, *, seconds: float, on_end: Callable[[], None]) -> None:
        self._store = store
        self._seconds = seconds
        self._on_end = on_end
        self._pid = os.getpid()
        self._identity = ProcessIdentity.of_this_process()
        self._lock = threading.RLock()
        self._acknowledging = threading.Lock()
        self._numbers = itertools.count(1)
        self._users: weakref.WeakSet[Any] = weakref.WeakSet()
        self._in_hand: set[str] = set()
        self._acknowledged: OrderedDict[str, bool] = OrderedDict()
        """Tag to whether the server has heard of it."""
        self._suspects: set[str] = set()
        self._is_in_doubt = False
        """Whether an audit is due."""
        self._is_cut_off = False
        """Whether the server was out of reach when we last asked it: tasks that end need not wait for it, then."""
        self._has_ended = False
        self._stopping = threading.Event()
        self._token = ""
        self.id = ""
        """Changes when the lease is lost."""
        self._begin()
        self._server = store.server_id()
        self._thread = threading.Thread(target=self._keep_on, name="broker-lease", daemon=True)
        self._thread.start()

    # ---- for channels -----------------------------------------------------------------------

    def join(self, user: object) -> bool:
        """Keep the lease for this user's sake. False: it has ended, make another one."""
        with self._lock:
            if not self._has_ended:
                self._users.add(user)
            return not self._has_ended

    def part(self, user: object) -> None:
        """The user is done. The lease ends with its last user, or later, with the last message in hand."""
        with self._lock:
            self._users.discard(user)
        self.end(only_if_idle=True)

    def begin_delivery(self) -> tuple[str, str]:
        """The lease's id, and a tag for a message that is about to be taken under it."""
        with self._lock:
            tag = f"{self._token}.{next(self._numbers)}"
            self._in_hand.add(tag)
            return self.id, tag

    def take(self, question: TakeMessage) -> Any:
        """Ask for a message over the lease's connection, which never asks twice. Raises what redis-py raises."""
        return self._store.take(question)

    def drop(self, tag: str) -> None:
        """Nobody here knows whether a message was taken under this tag. If so, an audit puts it back."""
        if self._take_out(tag):
            self._is_in_doubt = True

    def forget(self, tag: str) -> None:
        """Nothing was taken under this tag."""
        self._take_out(tag)

    def acknowledge(self, tag: str) -> None:
        """Have the server forget a message: now or, if it cannot be reached, when it is back."""
        if not self._take_out(tag):
            return
        with self._lock:
            self._acknowledged[tag] = False
            if len(self._acknowledged) > RECENT_ACKNOWLEDGEMENTS:
                self._acknowledged.popitem(last=False)
        if self._is_cut_off:
            self._is_in_doubt = True
        elif self._try(lambda: self._acknowledge_now(tag)):
            with self._lock:
                self._acknowledged[tag] = True
        self.end(only_if_idle=True)

    def put_back(self, tags: Iterable[str], *, to_the_end: bool = False) -> None:
        """Give messages to other consumers: now or, if the server cannot be reached, when it is back."""
        mine = [tag for tag in tags if self._take_out(tag)]
        if mine:
            self._try(lambda: self._store.put_back(self.id, mine, to_the_end=to_the_end))
        self.end(only_if_idle=True)

    def confirm(self, tag: str) -> bool:
        """Whether a message that was just received is still ours: after a pause it may have been put back."""
        if time.monotonic() - self._renewed_at > self._seconds:
            try:
                self._renew(limit=0)
            except Exception:
                self.drop(tag)
                raise
        return tag.startswith(self._token)

    def recover(self, lost: str) -> None:
        """The server does not know this lease: take a new one."""
        with self._lock:
            if self.id == lost:
                self._begin()

    def end(self, *, only_if_idle: bool = False) -> None:
        """Put back everything that is left, and leave. For a process that ends."""
        with self._lock:
            is_busy = bool(self._users or self._in_hand or self._is_in_doubt)
            if (only_if_idle and is_busy) or self._has_ended or os.getpid() != self._pid:
                return
            self._has_ended = True
            self._in_hand.clear()
        self._stopping.set()
        try:
            self._store.put_back(self.id, self._store.tags(self.id))
            self._store.leave(self.id)
        except Exception as error:
            logger.warning("Cannot give back the broker's lease, it will lapse: %r", error)
        self._on_end()

    # ---- the lease's own thread -------------------------------------------------------------

    def _keep_on(self) -> None:
        beat_seconds = min(LONGEST_BEAT_SECONDS, self._seconds / BEATS_A_LEASE)
        # At once: we may replace a process that has just died.
        for beat in itertools.count(1):
            try:
                self._look_after(self._renew())
                if self._is_in_doubt or beat % BEATS_AN_AUDIT == 0:
                    self._audit()
            except Exception as error:
                # Whatever it was: without this thread, our messages would be taken from us.
                self._is_in_doubt = self._is_cut_off = True
                logger.warning("Cannot renew the broker's lease, trying again: %r", error)
            if self._stopping.wait(beat_seconds):
                return

    def _renew(self, *, limit: int = LEASES_A_BEAT) -> LeaseView:
        lease = self.id
        asked_at = time.monotonic()
        view = self._store.keep(lease, limit=limit)
        self._is_cut_off = False
        if view.is_held:
            self._renewed_at = asked_at
        elif not self._has_ended:
            self.recover(lease)
        return view

    def _look_after(self, view: LeaseView) -> None:
        dead = [lease for lease in view.neighbours if lease != self.id and _is_of_dead_process(lease)]
        for lease in dead:
            self._store.declare_dead(lease)
        lapsed = [*view.lapsed, *(self._renew().lapsed if dead else ())]
        for lease in lapsed:
            try:
                moved = self._store.put_back(lease, self._store.tags(lease), is_ours=False)
                if self._store.leave(lease):
                    logger.warning("Put back %d messages of process %s, which is gone", moved, lease)
            except Exception as error:
                logger.warning("Cannot put back the messages of process %s, trying again: %r", lease, error)

    def _audit(self) -> None:
        self._is_in_doubt = False
        self._look_at_server()
        recorded = self._store.tags(self.id)
        with self._lock:
            # Taken after the server's answer: whatever was recorded then had been in hand.
            unknown = recorded - self._in_hand
            # At the first sight, an acknowledgement may be on its way.
            certain = unknown & self._suspects
            done = {tag for tag in certain if tag in self._acknowledged}
            self._suspects = unknown
        if done:
            self._store.acknowledge(self.id, done)
        if certain - done:
            logger.warning("Put back %d messages that got lost on their way here", len(certain - done))
            self._store.put_back(self.id, certain - done)
        if unknown - certain:
            self._is_in_doubt = True
        self.end(only_if_idle=True)

    # ---- details ----------------------------------------------------------------------------

    def _look_at_server(self) -> None:
        server = self._store.server_id()
        if server != self._server:
            with self._lock:
                waiting = [tag for tag, is_heard in self._acknowledged.items() if not is_heard]
                self._acknowledged = OrderedDict.fromkeys(waiting, False)
            self._server = server

    def _begin(self) -> None:
        with self._lock:
            is_lost = bool(self.id)
            self._token = uuid.uuid4().hex[:12]
            self.id = f"{self._identity}:{self._token}"
            self._in_hand.clear()
            self._suspects.clear()
        self._renewed_at = time.monotonic()
        self._store.enter(self.id)
        if is_lost:
            logger.warning("The broker's lease was lost: this process stood still for longer, or the broker lost data")

    def _take_out(self, tag: str) -> bool:
        with self._lock:
            if tag not in self._in_hand:
                return False
            self._in_hand.discard(tag)
            return True

    def _acknowledge_now(self, tag: str) -> None:
        # One at a time, over one connection: hundreds of tasks may end at once. The lease's thread does not queue here.
        with self._acknowledging:
            self._store.acknowledge_one(self.id, tag)

    def _try(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except Exception as error:
            self._is_in_doubt = self._is_cut_off = True
            logger.warning("The broker cannot be reached, will settle messages later: %r", error)
            return False
        return True


def _is_of_dead_process(lease: str) -> bool:
    try:
        return ProcessIdentity.parse(lease.rpartition(":")[0]).is_known_to_be_dead()
    except ValueError:  # of a later release
        return False


class Leases:
    """The leases of this process, one a broker."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leases: dict[Any, Lease] = {}

    def join(self, user: object, broker: Any, make: Callable[[], Lease]) -> Lease:
        """The lease on a broker, made if there is none."""
        with self._lock:
            lease = self._leases.get(broker)
            if lease is None or not lease.join(user):
                lease = self._leases[broker] = make()
                lease.join(user)
            return lease

    def end_all(self) -> None:
        """For a process that ends."""
        for lease in [*self._leases.values()]:
            lease.end()

    def forget_all(self) -> None:
        """For a forked child: the leases are its parent's."""
        self._lock = threading.Lock()
        self._leases = {}


leases = Leases()
atexit.register(leases.end_all)
os.register_at_fork(after_in_child=leases.forget_all)
