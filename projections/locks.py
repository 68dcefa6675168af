"""Who works on a view: an advisory lock on PostgreSQL, a lease on SQLite. Checkpoints are safe without it, too."""

import os
import time
from typing import Final

from sqlalchemy import Connection, delete, select, text
from sqlalchemy.dialects import sqlite

from projections.database import NODE, Database
from projections.tables import LEASES

LEASE_SECONDS: Final = 15.0
LOOK_AGAIN_SECONDS: Final = 0.5
"""How long a lock counts as held after its session answered; what is done without it is refused by the checkpoint."""
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"
_HOLDERS: Final = text(
    "SELECT activity.application_name FROM pg_locks JOIN pg_stat_activity activity USING (pid)"
    " WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    " AND ((classid::bigint << 32) | objid::bigint) = hashtextextended(:name, 0)"
    " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class WorkLock:
    """The right to work on one view. One who is dead, or paused longer than the lease, loses it."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = f"{database.schema}:{name}" if database.on_postgres else name
        self._held: object | None = None
        self._until = 0.0

    def take(self) -> bool:
        """Return whether the right is ours now, taking or prolonging it if it is free."""
        return self._take_lock() if self._database.on_postgres else self._take_lease()

    def give_back(self) -> None:
        """Let others work."""
        if self._database.on_postgres:
            if self._held is not None and self._database.locks.alive(self._held):
                self._database.locks.ask(_UNLOCK, self._name)
            self._held = None
        elif self._until:
            self._until = 0.0
            with self._database.write() as connection:
                mine = (LEASES.c.name == self._name) & (LEASES.c.holder == self._database.holder)
                connection.execute(delete(LEASES).where(mine))

    def _take_lock(self) -> bool:
        locks = self._database.locks
        if self._held is not None and locks.alive(self._held, within=LOOK_AGAIN_SECONDS):
            return True
        taken = locks.ask(_LOCK, self._name)
        self._held = locks.session if taken else None
        return taken

    def _take_lease(self) -> bool:
        now = time.time()
        if self._until - now > LEASE_SECONDS / 2:
            return True
        mine = sqlite.insert(LEASES).values(name=self._name, holder=self._database.holder, until=now + LEASE_SECONDS)
        claim = mine.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": mine.excluded.holder, "until": mine.excluded.until},
            where=(LEASES.c.holder == self._database.holder) | (LEASES.c.until < now),
        )
        with self._database.write() as connection:
            query = select(LEASES.c.holder).where(LEASES.c.name == self._name)
            if _has_died(connection.scalar(query) or self._database.holder):
                connection.execute(delete(LEASES).where(LEASES.c.name == self._name))
            taken = connection.execute(claim).rowcount == 1
        self._until = now + LEASE_SECONDS if taken else 0.0
        return taken


def _has_died(holder: str) -> bool:
    """Return whether the holder was a process of this machine and is none any more; a mistake costs no row."""
    node, process, _ = holder.rsplit(":", 2)
    if node != NODE:
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def holder(database: Database, connection: Connection, name: str) -> str | None:
    """Return who has the right to work, None when nobody has."""
    if database.on_postgres:
        named = {"name": f"{database.schema}:{name}"}
        return next(iter(connection.execute(_HOLDERS, named).scalars()), None)
    query = select(LEASES.c.holder).where(LEASES.c.name == name, LEASES.c.until >= time.time())
    return connection.scalar(query)
