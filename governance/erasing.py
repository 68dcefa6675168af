"""Erasing personal data: the key of a person is destroyed, and that is recorded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from governance.appending import Append
from governance.domain.actors import Actor
from governance.domain.errors import ConcurrencyError, ConfigurationError, NotFoundError
from governance.domain.json_limits import input_error
from governance.domain.personal_events import SubjectForgotten
from governance.domain.recorded import Recorded
from governance.domain.values import Id, Reason
from governance.event_store.log import EventLog
from governance.event_store.sealing import Vault
from governance.ids import new_id
from governance.intake import check_actor
from governance.retrying import attempts
from governance.settings import Settings
from governance.streams import personal_stream

T = TypeVar("T")
_ID: TypeAdapter[str] = TypeAdapter(Id)
_REASON: TypeAdapter[str] = TypeAdapter(Reason)


@dataclass(frozen=True)
class Forgotten:
    """Whose data was erased: the keys that are gone, and the position of the event that says so."""

    subject: str
    keys: tuple[str, ...]
    position: int


class Erasure:
    """The part of `Governance` that opens personal data and erases it."""

    log: EventLog
    settings: Settings
    _clock: Callable[[], datetime]

    def opened(self, thing: T) -> T:
        """Return a request, an event or any other answer with its personal values opened, `[erased]` where erased."""
        return self.log.vault.opened(thing) if self.log.vault is not None else thing

    def forget(self, subject: str, *, actor: Actor, reason: str) -> Forgotten:
        """Destroy the key of a person, so that nothing sealed under it can ever be read again, and record that.

        Done again, it changes nothing. Raises NotFoundError when there never was personal data of the subject.
        """
        check_actor(actor)
        subject, reason = _checked(_ID, subject, "subject"), _checked(_REASON, reason, "reason")
        destroyed = self._vault().keys.destroy(subject)
        if not destroyed:
            msg = f"there is no personal data of {subject}"
            raise NotFoundError(msg, subject=subject)
        lost: ConcurrencyError | None = None
        for _ in attempts(self.settings.budget_seconds):
            try:
                return self._recorded(subject, destroyed, actor, reason)
            except ConcurrencyError as error:
                lost = error
        raise lost or ConcurrencyError("the time budget was too short to record an erasure", subject=subject)

    def _recorded(self, subject: str, destroyed: Sequence[str], actor: Actor, reason: str) -> Forgotten:
        """Return what is recorded; the key is destroyed first, so that no event says so of one that still lives."""
        stream = personal_stream(subject)
        earlier: Sequence[Recorded] = self.log.stream(stream)
        known = {key for each in earlier if isinstance(each.event, SubjectForgotten) for key in each.event.keys}
        keys = tuple(each for each in destroyed if each not in known)
        if not keys:
            return Forgotten(subject, tuple(destroyed), earlier[-1].position or self._position(stream))
        now = self._clock()
        append = Append(new_id(now), actor, now)
        append.add(stream, len(earlier), [SubjectForgotten(subject=subject, keys=keys, reason=reason)])
        (position,) = self.log.append(append.recorded)
        return Forgotten(subject, keys, position)

    def _position(self, stream: str) -> int:
        """Return the position of the last event of a stream, which reading the stream alone does not tell."""
        found = self.log.event_recorder.select_events(stream, desc=True, limit=1)
        return int(getattr(found[0], "id", 0) or 0)

    def _vault(self) -> Vault:
        if self.log.vault is None:
            msg = "this Governance was made without keys of personal data; open it with Governance.open"
            raise ConfigurationError(msg)
        return self.log.vault


def _checked(kind: TypeAdapter[str], value: Any, field: str) -> str:
    try:
        return kind.validate_python(value, strict=True)
    except ValidationError as error:
        raise input_error(error, field) from None
