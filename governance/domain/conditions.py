"""Conditions: requirements that no approver meets, but a check, the time, other requests, or a quota."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, Self, TypeVar

from pydantic import model_validator

from governance.domain.errors import ConfigurationError, InputError
from governance.domain.values import Given, Id, Ids, Moment

MAX_TOKENS = 1_000_000_000
MAX_DEPENDENCIES = 1_000
MAX_DURATION = timedelta(days=36_525)
EVERYTHING = "all"
"""The calendar whose freezes hold every request, whether it asks for a window or not."""

Otherwise = Literal["reject", "wait"]


class ScheduleRequirement(Given):
    """Not before a time, not after a time, only while the calendar of this name is open; or several of these."""

    kind: Literal["schedule"] = "schedule"
    name: Id | None = None
    not_before: Moment | None = None
    not_after: Moment | None = None
    window: Id | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.not_before is None and self.not_after is None and self.window is None:
            msg = "a schedule needs not_before=, not_after= or window="
            raise ValueError(msg)
        if self.not_before is not None and self.not_after is not None and self.not_after <= self.not_before:
            msg = "not_after must be later than not_before"
            raise ValueError(msg)
        return self

    def demands(self) -> str:
        """Return what is asked, without its name: what makes two requirements the same demand."""
        return self.model_dump_json(exclude={"name"})

    def deadline(self, opened_at: datetime) -> datetime | None:
        """Return when it is too late, None for never."""
        del opened_at
        return self.not_after


class DependencyRequirement(Given):
    """All of these requests have been executed, or executed and their effects delivered."""

    kind: Literal["dependency"] = "dependency"
    name: Id | None = None
    requests: Ids
    until: Literal["executed", "delivered"] = "executed"
    on_failure: Otherwise = "reject"

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        if not 1 <= len(self.requests) <= MAX_DEPENDENCIES or len(set(self.requests)) != len(self.requests):
            msg = f"a dependency names from 1 to {MAX_DEPENDENCIES:,} different requests"
            raise ValueError(msg)
        return self

    def demands(self) -> str:
        """Return what is asked, without its name."""
        return f"dependency {sorted(self.requests)} {self.until} {self.on_failure}"

    def deadline(self, opened_at: datetime) -> datetime | None:
        """Return None: others may take as long as they need."""
        del opened_at
        return None


class QuotaRequirement(Given):
    """So many tokens of a quota are reserved for the request."""

    kind: Literal["quota"] = "quota"
    name: Id | None = None
    key: Id
    tokens: int = 1

    @model_validator(mode="after")
    def _asks_for_some(self) -> Self:
        if not 1 <= self.tokens <= MAX_TOKENS:
            msg = f"tokens are from 1 to {MAX_TOKENS:,}"
            raise ValueError(msg)
        return self

    def demands(self) -> str:
        """Return what is asked, without its name."""
        return self.model_dump_json(exclude={"name"})

    def deadline(self, opened_at: datetime) -> datetime | None:
        """Return None: the request waits until tokens are free, or until it expires itself."""
        del opened_at
        return None


class ExternalCheckRequirement(Given):
    """The check of this name says yes to exactly this content, in time."""

    kind: Literal["external_check"] = "external_check"
    name: Id
    timeout: timedelta | None = None
    on_timeout: Otherwise = "reject"

    @model_validator(mode="after")
    def _can_end(self) -> Self:
        if self.timeout is not None and not timedelta() < self.timeout <= MAX_DURATION:
            msg = f"a timeout is longer than zero and up to {MAX_DURATION.days:,} days"
            raise ValueError(msg)
        return self

    def demands(self) -> str:
        """Return which check is asked for."""
        return f"external_check {self.name}"

    def deadline(self, opened_at: datetime) -> datetime | None:
        """Return when nobody waits for the answer any more, None for never."""
        return opened_at + self.timeout if self.timeout is not None and self.on_timeout == "reject" else None


Condition = ScheduleRequirement | DependencyRequirement | QuotaRequirement | ExternalCheckRequirement
"""Every kind of requirement but approval."""


R = TypeVar("R", ScheduleRequirement, DependencyRequirement, QuotaRequirement, ExternalCheckRequirement)


def schedule(
    *,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    window: str | None = None,
    name: str | None = None,
) -> ScheduleRequirement:
    """Return the requirement to run at or after a time, before a time, or while the calendar `window` is open.

    A request that has not run at `not_after` expires. Raises ConfigurationError for times that leave nothing between
    them and for nothing asked at all; InputError, naming the field, for what is no aware time or no name.
    """
    return _made(ScheduleRequirement, "schedule", not_before=not_before, not_after=not_after, window=window, name=name)


def dependency(
    *request_ids: object, until: str = "executed", on_failure: str = "reject", name: str | None = None
) -> DependencyRequirement:
    """Return the requirement that these requests (ids, or requests themselves) have been executed.

    With `until="delivered"`, that their effects have been delivered too. One that ends otherwise, or is compensated,
    rejects the request; with `on_failure="wait"` the request waits on, until it expires or is canceled.
    """
    ids = tuple(str(getattr(each, "id", each)) for each in _flat(request_ids))
    return _made(DependencyRequirement, "dependency", requests=ids, until=until, on_failure=on_failure, name=name)


def quota(key: str, tokens: int = 1, *, name: str | None = None) -> QuotaRequirement:
    """Return the requirement that so many tokens of the quota `key` are reserved for the request, first come first."""
    return _made(QuotaRequirement, "quota", key=key, tokens=tokens, name=name)


def external_check(
    name: str, *, timeout: timedelta | None = None, on_timeout: str = "reject"
) -> ExternalCheckRequirement:
    """Return the requirement that the registered checker `name`, or a callback, says yes to exactly this content.

    Without an answer within `timeout` of its opening the request is rejected; with `on_timeout="wait"` it waits on.
    """
    return _made(ExternalCheckRequirement, "external_check", name=name, timeout=timeout, on_timeout=on_timeout)


def _flat(given: Iterable[object]) -> Iterable[object]:
    for each in given:
        if isinstance(each, list | tuple | set | frozenset):
            yield from _flat(each)
        else:
            yield each


def _made(kind: type[R], builder: str, **given: object) -> R:
    try:
        return kind(**given)  # type: ignore[arg-type]
    except InputError as error:
        if error.ids["field"] == "value":
            raise ConfigurationError(error.message.removeprefix("value: "), requirement=builder) from None
        raise InputError(f"{builder}.{error.message}", field=f"{builder}.{error.ids['field']}") from None
