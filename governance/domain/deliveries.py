"""Deliveries: how far each effect of a request has come, what may be reported of it, and when it is tried again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, assert_never

from governance.domain.actors import ADMINISTRATORS, Actor
from governance.domain.effect_commands import DropEffect, EffectCommand, ReportDelivery, ReportFailure, RetryEffect
from governance.domain.effect_events import EffectDelivered, EffectDropped, EffectEvent, EffectFailed, EffectRetried
from governance.domain.effects import EffectProgress
from governance.domain.errors import EffectSettledError, NotAuthorizedError, NotFoundError
from governance.domain.request import MutationRequest
from governance.domain.values import clean

_SETTLED: dict[type[EffectCommand], frozenset[str]] = {
    ReportDelivery: frozenset({"delivered"}),
    ReportFailure: frozenset({"delivered", "dropped", "parked"}),
    RetryEffect: frozenset({"delivered"}),
    DropEffect: frozenset({"delivered", "dropped"}),
}
"""For each command, how an effect can stand so that there is nothing left to say about it."""


def progress_of(request: MutationRequest, effect_id: str) -> EffectProgress:
    """Return how far an effect of the request has come; NotFoundError when it has no such effect."""
    if all(each.id != effect_id for each in request.effects):
        msg = f"request {request.id} has no effect {effect_id}"
        raise NotFoundError(msg, request=request.id, effect=effect_id)
    known = (each for each in request.deliveries if each.effect_id == effect_id)
    return next(known, EffectProgress(effect_id=effect_id))


def decide_effect(command: EffectCommand, request: MutationRequest) -> Sequence[EffectEvent]:
    """Return the event that the command causes; EffectSettledError when there is nothing left to say."""
    progress = progress_of(request, command.effect)
    if progress.status in _SETTLED[type(command)]:
        msg = f"effect {command.effect} is {progress.status} already"
        raise EffectSettledError(msg, request=request.id, effect=command.effect, status=progress.status)
    match command:
        case ReportDelivery() | ReportFailure():
            return [_reported(command, progress.attempts + 1)]
        case RetryEffect() | DropEffect():
            return [_operated(command, request)]
    assert_never(command)


def _reported(command: ReportDelivery | ReportFailure, attempt: int) -> EffectDelivered | EffectFailed:
    if isinstance(command, ReportDelivery):
        answer = None if command.answer is None else clean(command.answer)
        return EffectDelivered(effect_id=command.effect, attempt=attempt, handler=command.handler, answer=answer)
    return EffectFailed(
        effect_id=command.effect,
        attempt=attempt,
        handler=command.handler,
        error=clean(command.error),
        retry_at=command.retry_at,
    )


def _operated(command: RetryEffect | DropEffect, request: MutationRequest) -> EffectRetried | EffectDropped:
    _check_operator(command.actor, command.name, request.id)
    if isinstance(command, RetryEffect):
        return EffectRetried(effect_id=command.effect, reason=command.reason)
    return EffectDropped(effect_id=command.effect, reason=command.reason)


def _check_operator(actor: Actor, what: str, request_id: str) -> None:
    if actor.kind not in ADMINISTRATORS:
        msg = f"{actor.id} may not {what}: only an administrator may"
        raise NotAuthorizedError(msg, request=request_id, actor=actor.id)


def delivery_changes(request: MutationRequest, event: EffectEvent) -> dict[str, Any]:
    """Return what an event about an effect changes in the request."""
    others = tuple(each for each in request.deliveries if each.effect_id != event.effect_id)
    return {"deliveries": (*others, _after(event))}


def _after(event: EffectEvent) -> EffectProgress:
    match event:
        case EffectDelivered():
            return EffectProgress(effect_id=event.effect_id, status="delivered", attempts=event.attempt)
        case EffectFailed():
            status: Literal["retrying", "parked"] = "parked" if event.retry_at is None else "retrying"
            return EffectProgress(
                effect_id=event.effect_id,
                status=status,
                attempts=event.attempt,
                retry_at=event.retry_at,
                error=event.error,
            )
        case EffectRetried():
            return EffectProgress(effect_id=event.effect_id)
        case EffectDropped():
            return EffectProgress(effect_id=event.effect_id, status="dropped")
    assert_never(event)


def effects_delivered(request: MutationRequest) -> bool:
    """Return whether every effect of an executed request was delivered, or dropped by somebody."""
    settled = {each.effect_id for each in request.deliveries if each.status in ("delivered", "dropped")}
    return request.resulting_version is not None and all(each.id in settled for each in request.effects)


def next_attempt(attempt: int, now: datetime, first: timedelta, longest: timedelta, spread: float) -> datetime:
    """Return when to try again after this attempt: pauses double up to the longest; `spread` (0 to 1) adds to 25 %."""
    pause = min(longest, first * float(2 ** min(attempt - 1, 30)))
    return now + pause * (1 + spread / 4)
