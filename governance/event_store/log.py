"""The log of everything that happened: appended to, read by stream and by position, over the eventsourcing library."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, cast

from eventsourcing.application import Application
from eventsourcing.persistence import DataError, Notification, PersistenceError, ProgrammingError
from eventsourcing.utils import Environment, EnvType

from governance.domain.errors import (
    ConcurrencyError,
    ConfigurationError,
    GovernanceError,
    InputError,
    OutcomeUnknownError,
    StoreUnavailableError,
)
from governance.domain.recorded import Recorded
from governance.event_store.mapper import EnvelopeMapper
from governance.event_store.recorder import (
    EventRecorder,
    OutcomeUnknown,
    SchemaOutdated,
    UnsafeStore,
    VersionConflict,
)
from governance.event_store.sealing import Vault

Stored: TypeAlias = Notification
"""An event as it is stored: stream, version, topic, bytes, and its position as `id`."""


class EventLog(Application[str]):
    """Appends recorded events, all or none, and reads them back; every error is one of ours."""

    name = "governance"

    def __init__(self, recorder: EventRecorder, vault: Vault | None = None) -> None:
        self._given = recorder
        self.vault = vault
        super().__init__()

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Return an empty environment: no variable of the process may choose what code the library loads."""
        return Environment(name, {})

    def construct_recorder(self) -> EventRecorder:
        """Return the recorder that the log was opened with."""
        return self._given

    def construct_mapper(self) -> EnvelopeMapper:
        """Return the mapper of envelopes."""
        mapper = EnvelopeMapper(self.construct_transcoder())
        mapper.vault = self.vault
        return mapper

    def append(self, recorded: Sequence[Recorded]) -> Sequence[int]:
        """Store the events in one transaction and return their positions, in the same order.

        Raises ConcurrencyError (`ids["stream"]` names where) when a version is taken, StoreUnavailableError when
        nothing was stored for want of a database, OutcomeUnknownError when that could not be found out.
        """
        mapper = cast(EnvelopeMapper, self.mapper)
        try:
            return self._given.insert_events(mapper.to_stored_events(recorded))
        except PersistenceError as error:
            raise translated(error) from error

    def append_each(self, appends: Sequence[Sequence[Recorded]]) -> Sequence[Sequence[int] | GovernanceError]:
        """Store each of several lists of events as if by a call of its own, together; return what became of each.

        That is its positions or the error of `append`. Raises that error if nothing of all was tried.
        """
        mapper = cast(EnvelopeMapper, self.mapper)
        with translated_errors():
            settled = self._given.insert_each([mapper.to_stored_events(each) for each in appends])
        return [translated(each) if isinstance(each, PersistenceError) else each for each in settled]

    def stream(
        self, stream: str, *, after: int = 0, upto: int | None = None, limit: int | None = None
    ) -> Sequence[Recorded]:
        """Return the events of a stream by version, oldest first; none for a stream that does not exist."""
        with translated_errors():
            return list(cast(Any, self.events.get(stream, gt=after or None, lte=upto, limit=limit)))

    def latest(self, stream: str, *, upto: int | None = None, limit: int = 1) -> Sequence[Recorded]:
        """Return the last events of a stream, newest first."""
        with translated_errors():
            return list(cast(Any, self.events.get(stream, lte=upto, desc=True, limit=limit)))

    def stored_stream(self, stream: str, *, after: int = 0, upto: int | None = None) -> Sequence[Stored]:
        """Return the stored form of the events of a stream by version, oldest first."""
        with translated_errors():
            return self._given.select_events(stream, gt=after or None, lte=upto)

    def stored_of(self, streams: Sequence[str], *, upto: int | None = None) -> Sequence[Notification]:
        """Return the last event of each of several streams, or all of each up to a version, in their stored form."""
        with translated_errors():
            return self._given.select_several(streams, upto)

    def feed(self, after: int, limit: int) -> Sequence[Recorded]:
        """Return up to `limit` settled events of all streams after a position, in the one global order."""
        with translated_errors():
            return [self.mapper.to_domain_event(each) for each in self.stored(after, limit)]  # type: ignore[misc]

    def stored(
        self, after: int, limit: int, *, upto: int | None = None, topics: Sequence[str] = ()
    ) -> Sequence[Notification]:
        """Return the stored form of events after a position, for readers that decode only what they need."""
        with translated_errors():
            return self._given.select_notifications(after, limit, upto, topics, inclusive_of_start=False)

    def decoded(self, stored: Notification) -> Recorded:
        """Return the event; raises UnreadableEventError when it is damaged, UnknownEventError when it is too new."""
        return cast(Recorded, self.mapper.to_domain_event(stored))

    def streams_ending(self, ending: str, topic: str) -> Sequence[str]:
        """Return up to a hundred names with this ending, of four characters or more, of streams begun by the topic."""
        with translated_errors():
            return self._given.streams_ending(ending, topic)

    def head(self) -> int:
        """Return the position of the last settled event, 0 when there is none."""
        with translated_errors():
            return self._given.max_notification_id() or 0

    def wait(self, after: int, timeout: float) -> bool:
        """Return whether there is an event after the position, waiting up to `timeout` seconds for one."""
        with translated_errors():
            return self._given.wait_for_append(after, timeout)

    @property
    def event_recorder(self) -> EventRecorder:
        """Return the recorder, for its schema and its diagnosis."""
        return self._given

    def close(self) -> None:
        """Store what is waiting and let go of every connection."""
        super().close()
        self._given.close()


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn every error of the store into one of the domain's tree, so that callers need to know only that."""
    try:
        yield
    except PersistenceError as error:
        raise translated(error) from error


def translated(error: PersistenceError) -> GovernanceError:
    """Return the error of the domain's tree that says what the store's does."""
    match error:
        case VersionConflict():
            msg = f"{error.stream} has moved on: its version {error.version} was written by somebody else"
            return ConcurrencyError(msg, stream=error.stream, version=error.version)
        case OutcomeUnknown():
            return OutcomeUnknownError(f"the outcome could not be found out in time ({error}); ask before repeating")
        case DataError():
            return InputError(f"the store cannot hold this: {error}", field="event")
        case SchemaOutdated() | UnsafeStore() | ProgrammingError():
            return ConfigurationError(str(error))
    return StoreUnavailableError(f"the store did not answer in time: {error}")
