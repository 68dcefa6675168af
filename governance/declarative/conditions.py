"""Conditions in policy files: a schedule, tokens of a quota, or a check outside, in place of an approval."""

from typing import Annotated, Literal

from pydantic import Field

from governance.declarative.parts import Duration, Part
from governance.domain.conditions import Condition, external_check, quota, schedule
from governance.domain.values import Id, Moment


class SchedulePart(Part):
    """A time or a window: what `schedule(...)` takes."""

    not_before: Annotated[Moment | None, Field(description="The earliest time, with a time zone.")] = None
    not_after: Annotated[Moment | None, Field(description="The time after which it expires, with a time zone.")] = None
    window: Annotated[Id | None, Field(description="The calendar that has to be open.")] = None


class QuotaPart(Part):
    """Tokens of a quota."""

    key: Annotated[Id, Field(description="Which quota.")]
    tokens: Annotated[int, Field(ge=1, description="How many.")] = 1


class CheckPart(Part):
    """A check outside; the requirement's name is that of the checker."""

    timeout: Annotated[Duration | None, Field(description="How long to wait for the answer.")] = None
    on_timeout: Annotated[Literal["reject", "wait"], Field(description="What comes after that.")] = "reject"


ConditionPart = SchedulePart | QuotaPart | CheckPart


def condition_of(name: str, part: ConditionPart) -> Condition:
    """Return the condition with this name; raises what the builders raise."""
    match part:
        case SchedulePart():
            return schedule(not_before=part.not_before, not_after=part.not_after, window=part.window, name=name)
        case QuotaPart():
            return quota(part.key, part.tokens, name=name)
        case CheckPart():
            return external_check(name, timeout=part.timeout, on_timeout=part.on_timeout)
