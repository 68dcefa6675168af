"""Requirements: what must hold before a request may run, as callers and policies ask for it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from governance.domain.actors import Actor
from governance.domain.conditions import (
    MAX_DURATION,
    DependencyRequirement,
    ExternalCheckRequirement,
    QuotaRequirement,
    ScheduleRequirement,
)
from governance.domain.errors import ConfigurationError, InputError
from governance.domain.values import Given, Id, Moment

Who = str | Iterable[str]
MAX_NUMBER = 10_000


class Approver(Given):
    """One way to be entitled: being this actor, or holding this role, or belonging to this group."""

    kind: Literal["actor", "role", "group"]
    id: Id

    def matches(self, actor: Actor) -> bool:
        """Return whether the actor is, or has, what is asked for."""
        if self.kind == "actor":
            return actor.person == self.id
        return self.id in (actor.roles if self.kind == "role" else actor.groups)

    def __str__(self) -> str:
        return self.id if self.kind == "actor" else f"{self.kind} {self.id}"


class ApprovalRequirement(Given):
    """So many distinct people out of these must say yes, in this step, before this time."""

    kind: Literal["approval"] = "approval"
    name: Id | None = None
    approvers: tuple[Approver, ...]
    quorum: int = 1
    step: int = 1
    expires_after: timedelta | None = None
    expires_at: Moment | None = None
    veto: bool = True
    vetoes: int = 1
    different_from: tuple[int, ...] = ()
    chains: bool = False

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if not self.approvers:
            msg = "an approval needs at least one approver: role=, group=, actor= or any_of="
            raise ValueError(msg)
        if not all(1 <= number <= MAX_NUMBER for number in (self.quorum, self.step, self.vetoes)):
            msg = f"quorum, step and the number of vetoes are from 1 to {MAX_NUMBER:,}"
            raise ValueError(msg)
        if any(step >= self.step for step in self.different_from):
            msg = f"different_from_step names earlier steps; this is step {self.step}"
            raise ValueError(msg)
        named = self.named
        if named is not None and self.quorum > len(named):
            msg = f"a quorum of {self.quorum} cannot be met by {len(named)} named people"
            raise ValueError(msg)
        after = self.expires_after
        if after is not None and (self.expires_at is not None or not timedelta() < after <= MAX_DURATION):
            msg = f"give either expires_after, longer than zero and up to {MAX_DURATION.days:,} days, or expires_at"
            raise ValueError(msg)
        return self

    @property
    def named(self) -> frozenset[str] | None:
        """Return the ids of the approvers when all are named people, None when a role or group is among them."""
        if any(approver.kind != "actor" for approver in self.approvers):
            return None
        return frozenset(approver.id for approver in self.approvers)

    def demands(self) -> str:
        """Return what is asked of whom, without name and deadline: what makes two requirements the same demand."""
        approvers = sorted(f"{each.kind} {each.id}" for each in self.approvers)
        rest = self.model_dump_json(exclude={"name", "approvers", "expires_after", "expires_at"})
        return f"{approvers} {rest}"

    def deadline(self, opened_at: datetime) -> datetime | None:
        """Return when the requirement ends if it was opened at that time, None for never."""
        return opened_at + self.expires_after if self.expires_after else self.expires_at


Requirement = (
    ApprovalRequirement | ExternalCheckRequirement | ScheduleRequirement | DependencyRequirement | QuotaRequirement
)
"""Every kind of requirement."""

AnyRequirement = Annotated[Requirement, Field(discriminator="kind")]
"""A requirement as it is read: its kind says which."""


def role(name: str) -> Approver:
    """Return the approver that is anyone with the role."""
    return Approver(kind="role", id=name)


def group(name: str) -> Approver:
    """Return the approver that is anyone in the group."""
    return Approver(kind="group", id=name)


def approval(
    *,
    role: Who = (),
    group: Who = (),
    actor: Who = (),
    any_of: Iterable[Approver | str] = (),
    quorum: int = 1,
    step: int = 1,
    expires_after: timedelta | None = None,
    expires_at: datetime | None = None,
    veto: bool | int = True,
    different_from_step: int | Iterable[int] = (),
    chains: bool = False,
    name: str | None = None,
) -> ApprovalRequirement:
    """Return the requirement that `quorum` distinct people out of all those named approve.

    `role`, `group` and `actor` take one id or several; `any_of` mixes actor ids with `role(...)` and `group(...)`.
    Lower steps come first. The deadline is an aware time, or a duration from the moment when the requirement opens.
    With `veto` one rejection ends the request (with `veto=2`, two do); without, only when the quorum cannot be met any
    more. Who approved in a step of `different_from_step` may not approve here. A delegate may delegate on only with
    `chains`. Raises ConfigurationError for what nobody can fill: no approvers, a quorum below 1 or above the number of
    named people; InputError, naming the field, for what is no id, number or time.
    """
    try:
        approvers = (
            *(Approver(kind="actor", id=each) for each in _each(actor)),
            *(Approver(kind="role", id=each) for each in _each(role)),
            *(Approver(kind="group", id=each) for each in _each(group)),
            *(each if isinstance(each, Approver) else Approver(kind="actor", id=each) for each in any_of),
        )
        return ApprovalRequirement(
            name=name,
            approvers=tuple(dict.fromkeys(approvers)),
            quorum=quorum,
            step=step,
            expires_after=expires_after,
            expires_at=expires_at,
            veto=bool(veto),
            vetoes=max(1, int(veto)),
            different_from=_steps(different_from_step),
            chains=chains,
        )
    except InputError as error:
        if error.ids["field"] == "value":
            raise ConfigurationError(error.message.removeprefix("value: "), requirement=name) from None
        raise InputError(f"approval.{error.message}", field=f"approval.{error.ids['field']}") from None
    except (TypeError, ValueError) as error:
        msg = f"approval: {error}"
        raise InputError(msg, field="approval") from None


def _steps(steps: int | Iterable[int]) -> tuple[int, ...]:
    return (steps,) if isinstance(steps, int) else tuple(sorted(set(steps)))


def _each(who: Who) -> Iterable[str]:
    return (who,) if isinstance(who, str) else who
