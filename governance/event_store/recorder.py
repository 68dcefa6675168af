"""The interface of an event store on either database, and the errors that it answers with."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    Notification,
    OperationalError,
    PersistenceError,
    StoredEvent,
)
from pydantic import BaseModel, ConfigDict

from governance.event_store.agenda import AgendaTables
from governance.event_store.outbox import Outbox
from governance.event_store.settings import RecorderSettings
from governance.event_store.snapshots import SnapshotTable
from governance.event_store.subscription import PositionSubscription


class VersionConflict(IntegrityError):  # noqa: N818 - named for what happened
    """The version of the stream is taken by another append; nothing of this one was stored."""

    def __init__(self, stream: str, version: int) -> None:
        super().__init__(f"version {version} of stream {stream!r} is already taken")
        self.stream = stream
        self.version = version


class StoreUnavailable(OperationalError):  # noqa: N818
    """The store did not do what was asked within the time budget; nothing was stored."""


class OutcomeUnknown(OperationalError):  # noqa: N818
    """The store could not be asked in time whether the append was stored; appending the same again is safe."""


class AppendQueueFull(OperationalError):  # noqa: N818
    """Too much was waiting to be stored for the whole time budget; nothing was stored."""


class SchemaOutdated(OperationalError):  # noqa: N818
    """The tables are not those that this code needs, and may not or could not be migrated."""


class UnsafeStore(OperationalError):  # noqa: N818
    """The database is set up so that it could lose or disorder events."""


class SchemaStatus(BaseModel):
    """Which migrations a store has and which it still needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    current: int
    """Number of the last migration that was applied, 0 for an empty database."""
    target: int
    """Number of the last migration that this code knows."""
    pending: tuple[str, ...]
    """Names of the migrations still to be applied, in order."""


Settled: TypeAlias = Sequence[int] | PersistenceError
"""What became of an append: the positions of its events, or why they were not stored."""


class OpenWriter(BaseModel):
    """A transaction that is appending now, and below which position readers must not wait for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    process: int
    """Process id of the server's backend."""
    application: str
    """Name that the client gave itself."""
    seconds: float
    """How long its transaction has been open."""
    bound: int
    """Readers see nothing above this position until it ends."""


class StoreFacts(BaseModel):
    """How a database is set up, as far as events could be lost by it, and what time it has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unsafe: tuple[str, ...]
    """Settings by which acknowledged events could be lost, as `name = value`."""
    clock: int
    """The database's clock, in microseconds since 1970."""


class EventRecorder(ApplicationRecorder):
    """Stores events in one strict global order and tells a committed append from a refused one."""

    settings: RecorderSettings

    @abstractmethod
    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Stores all of the events or none and returns their positions.

        Storing the same bytes at the same versions again returns the positions they already have.

        Raises VersionConflict, DataError (not text, or too large), AppendQueueFull, StoreUnavailable
        (nothing stored) or OutcomeUnknown.
        """

    @abstractmethod
    def insert_each(self, appends: Sequence[Sequence[StoredEvent]]) -> Sequence[Settled]:
        """Stores each of several lists of events, of which none is empty, as if by a call of its own, and together.

        Returns, for each, the positions of its events or why they were not stored. Raises DataError or VersionConflict
        if one of them can never be stored, and AppendQueueFull or StoreUnavailable; then nothing is stored.
        """

    @abstractmethod
    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[Notification]:
        """Returns the events of one stream, by version, each with its position as `id`."""

    @abstractmethod
    def select_several(self, streams: Sequence[str], upto: int | None = None) -> Sequence[Notification]:
        """Returns the last event of each of several streams, or all of each up to a version; in no order of streams.

        A stream that does not exist has none. The events of one stream come by version.
        """

    @abstractmethod
    def streams_ending(self, ending: str, topic: str) -> Sequence[str]:
        """Returns the names with this ending, of four characters or more, of streams that begin with the topic.

        At most a hundred, in no order; found by an index, however many streams there are.
        """

    @abstractmethod
    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Returns settled events in global order; below the last one nothing can appear later."""

    @abstractmethod
    def max_notification_id(self) -> int | None:
        """Returns the position of the last settled event: nothing can appear at or below it any more."""

    @abstractmethod
    def wait_for_append(self, after: int, timeout: float) -> bool:
        """Waits up to `timeout` seconds for a settled event above the position, from any process."""

    @abstractmethod
    def open_writers(self) -> tuple[OpenWriter, ...]:
        """Returns the transactions that are appending now, oldest first."""

    @abstractmethod
    def schema_status(self) -> SchemaStatus:
        """Returns which migrations the store has and needs."""

    @abstractmethod
    def migrate(self, *, dry_run: bool = False) -> list[str]:
        """Applies the pending migrations in one transaction and returns their statements."""

    @abstractmethod
    def facts(self) -> StoreFacts:
        """Returns how the database is set up, and its clock."""

    @abstractmethod
    def outbox(self) -> Outbox:
        """Returns the outbox of the store."""

    @abstractmethod
    def agenda(self) -> AgendaTables:
        """Returns the agenda of the store."""

    @abstractmethod
    def snapshots(self) -> SnapshotTable:
        """Returns the snapshots of the store."""

    @abstractmethod
    def close(self) -> None:
        """Stores what is waiting, then lets go of every connection; later calls raise StoreUnavailable."""

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> PositionSubscription:
        """Returns an endless iterator over the events above the position, which `stop()` ends."""
        return PositionSubscription(self, gt=gt, topics=topics)
