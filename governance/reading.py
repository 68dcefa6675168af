"""Reading states: now, at a version, at a time, and all of their history."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from governance.domain.catalog import Catalog
from governance.domain.errors import InputError, NotFoundError
from governance.domain.evolution import replay
from governance.domain.json_limits import input_error
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.domain.state import AnyState, State, StateVersion
from governance.domain.state_evolution import state_version
from governance.domain.values import Id, Moment
from governance.event_store.log import EventLog
from governance.execution import External
from governance.intake import check_version
from governance.repository import Repository
from governance.streams import state_stream

_ID: TypeAdapter[str] = TypeAdapter(Id)
_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)
T = TypeVar("T")


def as_of(history: Sequence[Recorded], request_id: str, *, version: int | None, at: datetime | None) -> MutationRequest:
    """Return the request as its history up to a version, or up to and including a time, has made it."""
    at = check_moment(version, at)
    until = [each for each in history if (at is None or each.at <= at) and (version is None or each.version <= version)]
    request = replay(until)
    if request is None or (version is not None and request.version != version):
        when = f"at version {version}" if version is not None else f"at {at.isoformat() if at else ''}"
        msg = f"there was no request {request_id} {when}"
        raise NotFoundError(msg, request=request_id, version=version, at=at)
    return request


def check_moment(version: int | None, at: datetime | None) -> datetime | None:
    """Return the moment in UTC; InputError for a version that is none, an unaware time, and for both at once."""
    check_version(version, "version")
    if version is not None and at is not None:
        msg = "version: give either version or at"
        raise InputError(msg, field="version")
    return None if at is None else _checked(_MOMENT, at, "at")


class StateReader:
    """Answers questions about governed states from their streams."""

    def __init__(
        self, log: EventLog, repository: Repository, catalog: Catalog, external: External | None = None
    ) -> None:
        self._log = log
        self._repository = repository
        self._catalog = catalog
        self._external = external

    def state(self, state_id: str, *, version: int | None, at: datetime | None) -> AnyState:
        """Return the latest version, a given one, or the one that was in force at a time."""
        _checked(_ID, state_id, "state_id")
        at = check_moment(version, at)
        if version is not None:
            found = self._version(state_id, version)
        elif at is not None:
            found = self._at(state_id, at)
        else:
            found = self._now(state_id)
        return self._typed(found or self._absent(state_id))

    def history(self, state_id: str) -> Sequence[Recorded]:
        """Return every version as an event, oldest first."""
        return self._log.stream(state_stream(_checked(_ID, state_id, "state_id")))

    def _now(self, state_id: str) -> StateVersion | None:
        found = self._repository.state(state_id)
        state_type = found.type if found is not None else self._catalog.only_state_type()
        if self._external is None or state_type is None or not self._external.governs(state_type):
            return found
        return self._external.current(state_id, state_type)

    def _version(self, state_id: str, version: int) -> StateVersion | None:
        if version == 0:
            return None
        found = self._log.stream(state_stream(state_id), after=version - 1, upto=version) if version > 0 else ()
        if not found:
            msg = f"state {state_id} has no version {version}"
            raise NotFoundError(msg, state=state_id, version=version)
        return state_version(found[0])

    def _at(self, state_id: str, at: datetime) -> StateVersion | None:
        """Return the last version that is not later, found by halving: none is earlier than the one before it."""
        newest = self._log.latest(state_stream(state_id))
        if not newest or newest[0].at <= at:
            return state_version(newest[0]) if newest else None
        found, early, late = None, 0, newest[0].version
        while late - early > 1:
            middle = (early + late) // 2
            (each,) = self._log.stream(state_stream(state_id), after=middle - 1, upto=middle)
            if each.at <= at:
                found, early = each, middle
            else:
                late = middle
        return state_version(found) if found is not None else None

    def _absent(self, state_id: str) -> StateVersion:
        only = self._catalog.only_state_type()
        return self._catalog.initial(state_id, only) if only else StateVersion(id=state_id)

    def _typed(self, found: StateVersion) -> AnyState:
        return State(
            id=found.id,
            version=found.version,
            value=self._catalog.read(found),
            type=found.type,
            digest=found.digest,
            changed_at=found.changed_at,
            request_id=found.request_id,
            position=found.position,
        )


def _checked(kind: TypeAdapter[T], value: object, field: str) -> T:
    try:
        return kind.validate_python(value, strict=True)
    except ValidationError as error:
        raise input_error(error, field) from None
