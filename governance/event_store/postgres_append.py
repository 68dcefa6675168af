"""Storing a flush of appends in PostgreSQL: one statement, repeated until its outcome is known.

The statement may be repeated freely: an event that is stored already with the same bytes answers with the
position it has. So the way to find out whether a lost answer was a success is to send the flush again.
"""

from collections.abc import Sequence

from eventsourcing.persistence import DataError, PersistenceError

from governance.event_store.append import Append
from governance.event_store.deadline import Deadline
from governance.event_store.group_commit import MIN_FLUSH_SHARE, FlushSpoiled
from governance.event_store.postgres_binary import (
    INT4_ARRAY_OID,
    INT8_ARRAY_OID,
    TEXT_ARRAY_OID,
    int4_array,
    int8_array,
    read_int8_array,
    text_array,
)
from governance.event_store.postgres_connections import READ_ONLY, Pauses, PostgresConnections, may_pass, unavailable
from governance.event_store.postgres_schema import fill
from governance.event_store.postgres_session import Session, SessionLost, Statement, StatementRefused
from governance.event_store.recorder import OutcomeUnknown, SchemaOutdated, UnsafeStore, VersionConflict
from governance.event_store.settings import RecorderSettings
from governance.event_store.waiting import Outcome

ATTEMPT_SHARE = 0.6
"""An unanswered attempt is given up after this share of the time left, so that there is time to ask again."""
SERVER_SHARES = (0.5, 0.25, 0.1)
"""The server gives an attempt up after the largest of these shares of the budget that fits into it."""
ANSWER_SHARE = 0.7
"""So much of an attempt's time is the server's; the rest is for its answer to arrive."""
DATA_CLASSES = frozenset({"22", "54"})
"""Classes of errors that lie in the events themselves: data exceptions and limits of the server."""
TOGETHER_TRIES = 5
"""After so many clashes with other processes the appends of a flush are stored one by one."""


class PostgresAppender:
    """The one connection by which a process appends; used by one thread at a time."""

    def __init__(self, connections: PostgresConnections, settings: RecorderSettings) -> None:
        self._connections = connections
        self._budget_seconds = settings.budget_seconds
        self._session: Session | None = None
        self._statement = Statement(
            b"append",
            fill("SELECT {schema}.governance_append($1, $2, $3, $4, $5)", schema=settings.database_schema).encode(),
            (TEXT_ARRAY_OID, INT8_ARRAY_OID, TEXT_ARRAY_OID, TEXT_ARRAY_OID, INT4_ARRAY_OID),
        )

    def flush(self, appends: Sequence[Append], deadline: Deadline) -> Sequence[Outcome]:
        """Stores the appends in one transaction and returns what became of each."""
        parameters = encoded(appends)
        attempts = Attempts(len(appends), deadline, self._budget_seconds * MIN_FLUSH_SHARE)
        while True:
            try:
                return outcomes(appends, self._send(parameters, attempts))
            except (SessionLost, StatementRefused) as error:
                attempts.failed(error)

    def close(self) -> None:
        """Closes the connection."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _send(self, parameters: Sequence[bytes | None], attempts: "Attempts") -> list[int | None]:
        deadline = attempts.deadline
        if self._session is None:
            self._session = self._open(deadline)
        session, self._session = self._session, None
        patience = deadline.earlier(deadline.remaining() * (1 - ATTEMPT_SHARE))
        session.limit(limit_ms(self._budget_seconds, patience), patience)
        attempts.sent = True
        try:
            result = session.run(self._statement, parameters, patience)
        except StatementRefused as error:
            if error.sqlstate == READ_ONLY:
                session.close()
            else:
                self._session = session
            raise
        self._session = session
        attempts.sent = False
        return read_int8_array(result.get_value(0, 0) or b"")

    def _open(self, deadline: Deadline) -> Session:
        try:
            return self._connections.open(deadline)
        except UnsafeStore as error:
            # During a change of servers a standby may answer for a while: that is worth another try.
            raise SessionLost(str(error)) from error


def limit_ms(budget_seconds: float, patience: Deadline) -> int:
    """Returns after how many milliseconds the server has to give up, so that we hear of it in time.

    There are few such limits, because a session is told each time that it changes.
    """
    for share in SERVER_SHARES:
        if budget_seconds * share < patience.remaining() * ANSWER_SHARE:
            return round(budget_seconds * share * 1000)
    return max(1, round(patience.remaining() * 500))


class Attempts:
    """What is known after the attempts so far to store one flush."""

    def __init__(self, appends: int, deadline: Deadline, least_seconds: float) -> None:
        self.deadline = deadline
        self.sent = False
        self._appends = appends
        self._least_seconds = least_seconds
        self._clashes = 0
        self._doubtful = False
        self._pauses = Pauses(deadline)

    def failed(self, error: SessionLost | StatementRefused) -> None:
        """Returns if another attempt is to be made; otherwise raises what the callers have to know."""
        if isinstance(error, SessionLost):
            self._doubtful = self._doubtful or self.sent
        self.sent = False
        if may_pass(error):
            self._clashes += isinstance(error, StatementRefused)
            # After a lost answer the flush stays together: its parts would be told that they had no effect.
            if self._clashes >= TOGETHER_TRIES and self._appends > 1 and not self._doubtful:
                raise FlushSpoiled
            if self._worth_another() and self._pauses.pause():
                return
        elif lies_in_data(error) and self._appends > 1 and not self._doubtful:
            raise FlushSpoiled from error
        raise self._verdict(error) from error

    def _worth_another(self) -> bool:
        """A last short attempt could end in doubt, which is worse than a certain refusal, unless there is doubt."""
        return self._doubtful or self.deadline.remaining() > self._least_seconds

    def _verdict(self, error: SessionLost | StatementRefused) -> PersistenceError:
        if self._doubtful:
            return OutcomeUnknown(f"the answer to an append was lost and it could not be asked again: {error}")
        if lies_in_data(error):
            return DataError(str(error))
        if isinstance(error, StatementRefused) and error.sqlstate[:2] in {"42", "3F"}:
            return SchemaOutdated(str(error))
        return unavailable(error)


def lies_in_data(error: SessionLost | StatementRefused) -> bool:
    """Returns whether the events themselves are what the server refused."""
    return isinstance(error, StatementRefused) and error.sqlstate[:2] in DATA_CLASSES


def encoded(appends: Sequence[Append]) -> list[bytes | None]:
    """Returns the appends as the parameters of one statement."""
    rows = [row for append in appends for row in append.rows]
    groups = None
    if len(rows) > len(appends):
        groups = int4_array([number for number, append in enumerate(appends) for _ in append.rows])
    return [
        text_array([row.stream for row in rows]),
        int8_array([row.version for row in rows]),
        text_array([row.topic for row in rows]),
        text_array([row.state for row in rows]),
        groups,
    ]


def outcomes(appends: Sequence[Append], answers: Sequence[int | None]) -> list[Outcome]:
    """Returns what the statement's answers mean for each append."""
    if len(answers) == len(appends) and all(answers):
        return [[position] for position in answers if position]
    result: list[Outcome] = []
    at = 0
    for append in appends:
        end = at + len(append.rows)
        result.append(outcome(append, answers[at:end]))
        at = end
    return result


def outcome(append: Append, answers: Sequence[int | None]) -> Outcome:
    """Returns the positions, the conflict, or None if rivals in the same flush held the append back."""
    if all(answers):
        return [position for position in answers if position]
    for row, position in zip(append.rows, answers, strict=True):
        if position == 0:
            return VersionConflict(row.stream.decode(), row.version)
    return partly_taken(append, answers)


def partly_taken(append: Append, answers: Sequence[int | None]) -> Outcome:
    """Returns the conflict of an append of which a part is stored, but not by an append of just these events."""
    for row, position in zip(append.rows, answers, strict=True):
        if position:
            return VersionConflict(row.stream.decode(), row.version)
    return None
