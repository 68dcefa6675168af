"""Facts about effects: what became of each attempt to deliver one, and what operators decided about it."""

from typing import ClassVar

from governance.domain.terms import Fact
from governance.domain.values import Moment


class EffectFact(Fact):
    """An event about one effect of an executed request; `effect_id` is the key by which receivers know it."""

    category: ClassVar[str] = "effect"
    effect_id: str


class EffectDelivered(EffectFact):
    """A handler has delivered the effect; `answer` is what the receiver said, if it said anything."""

    attempt: int
    handler: str
    answer: str | None = None


class EffectFailed(EffectFact):
    """An attempt to deliver the effect failed; the next one is at `retry_at`, and None means that it is parked."""

    attempt: int
    handler: str
    error: str
    retry_at: Moment | None = None


class EffectRetried(EffectFact):
    """Somebody had an effect tried again, from the first attempt on."""

    reason: str


class EffectDropped(EffectFact):
    """Somebody decided that the effect is not to be delivered any more."""

    reason: str


EffectEvent = EffectDelivered | EffectFailed | EffectRetried | EffectDropped
"""What the stream of a request holds about its effects."""
