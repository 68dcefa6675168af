"""Operating: what an operator sees of effects and decides about them, and delivering in this process."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal

from governance.automatic_compensation import AutomaticCompensation
from governance.domain.actors import SYSTEM, Actor
from governance.domain.effect_commands import DropEffect, RetryEffect
from governance.domain.errors import InputError
from governance.domain.request import MutationRequest
from governance.domain.values import Value
from governance.effects.engine import EffectsEngine
from governance.effects.feeding import moment
from governance.effects.handlers import EffectHandler, Handlers
from governance.event_store.log import EventLog, translated_errors
from governance.handling import Handler
from governance.ids import request_key
from governance.intake import input_errors
from governance.repository import Repository
from governance.settings import Settings

OutboxStatus = Literal["waiting", "parked"]


class OutstandingEffect(Value):
    """An effect that is not delivered: `handled` says whether this process has a handler for it."""

    effect_id: str
    request_id: str
    state_id: str
    contract: str
    status: OutboxStatus
    attempts: int
    due_at: datetime
    position: int
    handled: bool


class Effects:
    """The part of `Governance` that is about effects."""

    log: EventLog
    settings: Settings
    _clock: Callable[[], datetime]
    _handler: Handler
    _automatic: AutomaticCompensation
    effects_engine: EffectsEngine

    def _begin_effects(self, repository: Repository, handlers: Iterable[EffectHandler]) -> None:
        self.effects_engine = EffectsEngine(
            *(self.log, repository, self._handler, Handlers(handlers), self.settings, self._clock),
            on_parked=lambda request, effect: self._automatic.put_right(
                request.id, actor=SYSTEM, reason=f"effect {effect} could not be delivered", key=effect
            ),
        )

    def outstanding_effects(
        self, status: OutboxStatus | None = None, *, limit: int = 1_000
    ) -> Sequence[OutstandingEffect]:
        """Return the effects that are still to be delivered, and those parked, in the order of the log."""
        if status not in (None, "waiting", "parked"):
            msg = f"status: {status!r} is neither waiting nor parked"
            raise InputError(msg, field="status")
        feed, handlers = self.effects_engine.feed, self.effects_engine.handlers
        feed.catch_up()
        with translated_errors():
            rows = feed.outbox.rows(status, limit)
        return [
            OutstandingEffect(
                effect_id=row.effect_id,
                request_id=row.request_id,
                state_id=row.state_id,
                contract=row.contract,
                status="parked" if row.status == "parked" else "waiting",
                attempts=row.attempts,
                due_at=moment(row.due_at),
                position=row.position,
                handled=handlers.handler(row.contract) is not None,
            )
            for row in rows
        ]

    def retry_effect(self, effect_id: str, *, actor: Actor, reason: str) -> MutationRequest:
        """Have an effect that was not delivered, parked or dropped ones too, tried again at once; for administrators.

        Raises NotAuthorizedError, NotFoundError when there is no such effect, EffectSettledError when it was delivered.
        """
        with input_errors():
            command = RetryEffect(actor=actor, effect=effect_id, reason=reason)
        return self._handler.decide(_request_of(effect_id), command, None)

    def drop_effect(self, effect_id: str, *, actor: Actor, reason: str) -> MutationRequest:
        """Give an effect up, so that the next of its state can be delivered; raises what `retry_effect` does."""
        with input_errors():
            command = DropEffect(actor=actor, effect=effect_id, reason=reason)
        return self._handler.decide(_request_of(effect_id), command, None)

    def rebuild_outbox(self) -> int:
        """Empty the outbox, read it out of the log again, and return the position it stands at; loses nothing."""
        with translated_errors():
            self.effects_engine.feed.outbox.forget()
        return self.effects_engine.feed.catch_up()


def _request_of(effect_id: object) -> str:
    request, colon, number = effect_id.partition(":") if isinstance(effect_id, str) else ("", "", "")
    if not colon or not number.isascii() or not number.isdigit():
        msg = f"effect_id: {str(effect_id)[:80]!r} is not the id of an effect, as in REQUEST:0"
        raise InputError(msg, field="effect_id")
    return request_key(request, "effect_id")
