"""The names of the ledger's keys in Redis."""

from __future__ import annotations

from orchestrator.errors import UserError
from orchestrator.run_ids import root_of


class RedisKeys:
    """Key names in one namespace.

    A tree of runs shares the hash tag `{root}`. `run` and `log` are templates, because the scripts
    meet ids on their way (a parent, open waits) and name those keys themselves, from the same templates.
    """

    def __init__(self, namespace: str) -> None:
        if not namespace or set(namespace) & set("{}%"):
            raise UserError(f"The ledger's namespace `{namespace}` must not be empty, nor contain `{{`, `}}` or `%`.")
        self.run_template = f"{namespace}:run:{{%s}}:%s"
        self.log_template = f"{namespace}:log:{{%s}}:%s"
        self.deltas_template = f"{namespace}:deltas:{{%s}}:%s"
        self.watch_template = f"{namespace}:watch:{{%s}}"
        self.session_template = f"{namespace}:session:{{%s}}"
        self.outcome_template = f"{namespace}:outcome:{{%s}}:%s"
        self.due = f"{namespace}:due"
        """Sorted set: run id by the deadline at which any worker moves the run on."""
        self.queued = f"{namespace}:queued"
        """The same for runs that wait in a queue."""
        self.runs = f"{namespace}:runs"
        """Sorted set: ids of the latest root runs by the time of submission."""
        self.lanes = f"{namespace}:lane:"
        """Prefix. `queued:<lane>`: its runs that have a message. `held:<lane>`: the others, by priority and age."""
        self.loaded = f"{namespace}:loaded"
        """Sorted set: which worker has loaded which task, by the time when it last said so."""

        self.cancels = f"{namespace}:cancels"
        """Stream of the latest cancels of running runs: one field, `r`, with the run's id."""

    def run(self, run_id: str) -> str:
        """The hash with the run's state."""
        return self.run_template % (root_of(run_id), run_id)

    def session(self, session: str) -> str:
        """The hash of a session; its lists are beside it: `:exchanges`, `:line`, `:runs`."""
        return self.session_template % session

    def deltas(self, run_id: str) -> str:
        """The stream with pieces of the run's replies: one field, `d`, with the piece's JSON."""
        return self.deltas_template % (root_of(run_id), run_id)

    def watch(self, run_id: str) -> str:
        """Exists while somebody reads the replies of the run's tree as they are written."""
        return self.watch_template % root_of(run_id)

    def outcome(self, run_id: str) -> str:
        """The channel on which the run's outcome is published when it is set."""
        return self.outcome_template % (root_of(run_id), run_id)

    def log(self, run_id: str) -> str:
        """The stream with the run's entries: one field, `e`, with the entry's JSON."""
        return self.log_template % (root_of(run_id), run_id)
