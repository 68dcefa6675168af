"""Commands about effects: what deliverers report, and what operators decide."""

from typing import Literal

from governance.domain.actors import Actor
from governance.domain.values import Given, Id, Moment, Reason


class ReportDelivery(Given):
    """Say that the effect was delivered."""

    name: Literal["deliver effect"] = "deliver effect"
    actor: Actor
    effect: Id
    handler: Id
    answer: str | None = None


class ReportFailure(Given):
    """Say that an attempt failed, and when the next is; None parks the effect."""

    name: Literal["deliver effect"] = "deliver effect"
    actor: Actor
    effect: Id
    handler: Id
    error: str
    retry_at: Moment | None = None


class RetryEffect(Given):
    """Have an effect tried again, at once and from the first attempt on."""

    name: Literal["retry effect"] = "retry effect"
    actor: Actor
    effect: Id
    reason: Reason


class DropEffect(Given):
    """Give an effect up."""

    name: Literal["drop effect"] = "drop effect"
    actor: Actor
    effect: Id
    reason: Reason


EffectCommand = ReportDelivery | ReportFailure | RetryEffect | DropEffect
"""What can be said about an effect of an executed request."""
