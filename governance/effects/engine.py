"""The engine of effects: hands out those that are due, delivers them, and tells the log what came of it."""

import os
import random
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from governance.domain.actors import SYSTEM
from governance.domain.deliveries import next_attempt, progress_of
from governance.domain.effect_commands import ReportDelivery, ReportFailure
from governance.domain.effects import RecordedEffect
from governance.domain.errors import (
    ConcurrencyError,
    EffectSettledError,
    GovernanceError,
    OutcomeUnknownError,
    StoreUnavailableError,
)
from governance.domain.request import MutationRequest
from governance.domain.values import clean
from governance.effects.feeding import OutboxFeed, micros, moment
from governance.effects.handlers import Delivery, EffectHandler, Handlers, UndeliverableError
from governance.effects.keeping import Keeper
from governance.engines.engine import DueItem, Performed
from governance.event_store.log import EventLog, translated_errors
from governance.event_store.outbox import Asked, Claim
from governance.handling import Handler
from governance.repository import Repository
from governance.settings import Settings

OnParked = Callable[[MutationRequest, str], object]
"""What puts right what an effect was to announce: takes the request and the effect's id; again for the same is safe."""


@dataclass(frozen=True)
class _Due:
    """An effect on its way to its handler."""

    item: DueItem
    request: MutationRequest
    handler: EffectHandler
    delivery: Delivery


class EffectsEngine:
    """Delivers effects at least once, in order within each state; safe to share between threads and machines."""

    name = "effects"

    def __init__(
        self,
        log: EventLog,
        repository: Repository,
        handler: Handler,
        handlers: Handlers,
        settings: Settings,
        clock: Callable[[], datetime],
        on_parked: OnParked | None = None,
    ) -> None:
        self._log = log
        self.feed = OutboxFeed(log)
        self.handlers = handlers
        self._repository = repository
        self._handler = handler
        self._settings = settings
        self._clock = clock
        self._on_parked = on_parked
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(6).hex()}"
        self._claims: dict[str, Claim] = {}
        self._keeper = Keeper(self.feed.outbox, self._holder, settings.effect_lease_seconds)
        self._random = random.Random()  # noqa: S311 - spreads tries, protects nothing

    def close(self) -> None:
        """Let go of what is held."""
        self._keeper.close()

    def due(self, now: datetime, limit: int) -> Sequence[DueItem]:
        """Return effects that are due and have a handler here, the first of each state, for a lease of seconds."""
        if not self.handlers or limit <= 0:
            return ()
        self.feed.catch_up()
        asked = Asked(
            holder=self._holder,
            contracts=self.handlers.contracts,
            now=micros(now),
            limit=limit,
            seconds=self._settings.effect_lease_seconds,
        )
        with translated_errors():
            claims = self.feed.outbox.claim(asked)
        self._claims.update({each.row.effect_id: each for each in claims})
        return [_item(self.name, each) for each in claims]

    def perform(self, item: DueItem, now: datetime) -> Performed:
        """Deliver one effect and record what came of it; a claim that has run out meanwhile is `lost`."""
        claim = self._claims.pop(item.key, None)
        if claim is None or not self._held(claim, self._settings.effect_lease_seconds):
            return Performed(item=item, result="lost", what="claim-lost")
        try:
            with self._keeper.kept(claim):
                return self._perform(item, now)
        except (ConcurrencyError, EffectSettledError) as error:
            return Performed(item=item, result="lost", what="settled-by-others", error=error.message)
        except (StoreUnavailableError, OutcomeUnknownError):
            raise
        except GovernanceError as error:
            return Performed(item=item, result="failed", what="effect-unreadable", error=error.message)
        finally:
            self._let_go(claim)

    def _perform(self, item: DueItem, now: datetime) -> Performed:
        due = self._prepared(item)
        if due is None:
            return Performed(item=item, result="lost", what="settled-by-others")
        try:
            answer = due.handler.deliver(due.delivery)
        except Exception as error:
            return self._failed(due, error)
        command = ReportDelivery(actor=SYSTEM, effect=item.key, handler=due.handler.name, answer=answer)
        self._handler.decide(due.request.id, command, None)
        return Performed(item=item, result="done", what="effect-delivered")

    def _prepared(self, item: DueItem) -> _Due | None:
        request = self._repository.request(item.request_id or "")
        progress = progress_of(request, item.key)
        effect = self._opened(next(each for each in request.effects if each.id == item.key))
        handler = self.handlers.handler(effect.contract)
        if progress.status in ("delivered", "dropped", "parked") or handler is None:
            return None
        executed_at = next(each.at for each in request.decisions if each.code == "Executed")
        delivery = Delivery(
            key=effect.id,
            effect=effect,
            request_id=request.id,
            state_id=request.state_id,
            state_version=request.resulting_version or 0,
            executed_at=executed_at,
            attempt=progress.attempts + 1,
            correlation_id=request.correlation_id,
        )
        return _Due(item, request, handler, delivery)

    def _opened(self, effect: RecordedEffect) -> RecordedEffect:
        """Return the effect with what is sealed in it opened, as a handler has to see it."""
        return effect if self._log.vault is None else self._log.vault.opened(effect)

    def _failed(self, due: _Due, error: Exception) -> Performed:
        told = clean(f"{type(error).__name__}: {error}")
        retry_at = None if isinstance(error, UndeliverableError) else self._next(due.delivery.attempt)
        if retry_at is None and due.handler.compensate and self._on_parked is not None:
            # Before it is recorded as parked: after a crash in between, the next attempt comes here again.
            self._on_parked(due.request, due.item.key)
        command = ReportFailure(
            actor=SYSTEM, effect=due.item.key, handler=due.handler.name, error=told, retry_at=retry_at
        )
        self._handler.decide(due.request.id, command, None)
        if retry_at is not None:
            return Performed(item=due.item, result="waiting", what="effect-retried", error=told)
        return Performed(item=due.item, result="failed", what="effect-parked", error=told)

    def _next(self, attempt: int) -> datetime | None:
        settings = self._settings
        if attempt >= settings.effect_attempts:
            return None
        first, longest = settings.effect_first_pause, settings.effect_longest_pause
        return next_attempt(attempt, self._clock(), first, longest, self._random.random())

    def _held(self, claim: Claim, seconds: float) -> bool:
        with translated_errors():
            return self.feed.outbox.hold(claim, self._holder, seconds)

    def _let_go(self, claim: Claim) -> None:
        """Give the claim back, after the outbox has learned what came of it, so that nobody is handed it again."""
        try:
            self.feed.catch_up()
            self._held(claim, 0)
        except GovernanceError:
            return  # it runs out by itself


def _item(engine: str, claim: Claim) -> DueItem:
    row = claim.row
    return DueItem(
        engine=engine,
        key=row.effect_id,
        due_at=moment(row.due_at),
        request_id=row.request_id,
        group=row.state_id,
        tries=row.attempts,
        touched=row.attempts,
    )
