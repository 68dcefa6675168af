"""Handlers: what is called to deliver an effect, one for each contract."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from governance.domain.effects import Effect, RecordedEffect
from governance.domain.errors import ConfigurationError, GovernanceError
from governance.domain.values import Value

_JSON: TypeAdapter[Any] = TypeAdapter(Any)


class UndeliverableError(GovernanceError):
    """Raised by a handler: the effect cannot be delivered, so that trying again is no use; it is parked at once."""

    rule = "undeliverable"


class Delivery(Value):
    """One attempt to deliver an effect.

    `key` is the same for every attempt: a receiver that remembers keys sees each effect once. `state_version` grows
    with the effects of one state, so that a receiver can also tell an attempt that was overtaken.
    """

    key: str
    effect: RecordedEffect
    request_id: str
    state_id: str
    state_version: int
    executed_at: datetime
    attempt: int
    correlation_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class EffectHandler:
    """Delivers effects of some contracts, or (None) of all that no other handler is for.

    `deliver` returns what the receiver said, or None, and raises whatever went wrong: the effect is then tried again
    later, or parked after UndeliverableError. With `compensate`, what caused an effect that was parked is put right.
    """

    name: str
    contracts: tuple[str, ...] | None
    deliver: Callable[[Delivery], str | None]
    compensate: bool = False


def effect_handler(
    effect: type[Effect] | str, *, name: str | None = None, compensate: bool = False
) -> Callable[[Callable[[Any, Delivery], object]], EffectHandler]:
    """Make a function of effect and delivery a handler: of a class of effects, or of a contract by its name.

    With a class, the function is given an instance of it; with a name, the payload as it is recorded.
    """

    def decorate(function: Callable[[Any, Delivery], object]) -> EffectHandler:
        def deliver(delivery: Delivery) -> str | None:
            answer = function(_given(effect, delivery.effect), delivery)
            return answer if isinstance(answer, str) else None

        contract = effect if isinstance(effect, str) else _contract(effect)
        return EffectHandler(
            name=name or str(getattr(function, "__name__", contract)),
            contracts=(contract,),
            deliver=deliver,
            compensate=compensate,
        )

    return decorate


def _contract(effect: type[Effect]) -> str:
    contract = getattr(effect, "contract", None)
    if not isinstance(contract, str):
        msg = f"{effect!r} is not a class of effects: derive one from Effect and give it a contract"
        raise ConfigurationError(msg, effect=effect)
    return contract


def _given(effect: type[Effect] | str, recorded: RecordedEffect) -> Any:
    if isinstance(effect, str):
        return recorded.payload
    if recorded.contract_version != effect.contract_version:
        msg = (
            f"{effect.__name__} is version {effect.contract_version} of {recorded.contract}, "
            f"and version {recorded.contract_version} is to be delivered"
        )
        raise ConfigurationError(msg, effect=recorded.id, contract=recorded.contract)
    return effect.model_validate_json(_JSON.dump_json(recorded.payload))


class Handlers:
    """The handlers of one process, by contract."""

    def __init__(self, handlers: Iterable[EffectHandler] = ()) -> None:
        """Raises ConfigurationError for what is no handler, and when two are for the same contract."""
        self._named: dict[str, EffectHandler] = {}
        self._other: EffectHandler | None = None
        for each in handlers:
            self._add(each)

    def __bool__(self) -> bool:
        return bool(self._named) or self._other is not None

    @property
    def contracts(self) -> tuple[str, ...] | None:
        """Return the contracts that there are handlers for, None for all."""
        return None if self._other is not None else tuple(self._named)

    def handler(self, contract: str) -> EffectHandler | None:
        """Return the handler of a contract, None when there is none."""
        return self._named.get(contract, self._other)

    def _add(self, handler: object) -> None:
        if not isinstance(handler, EffectHandler):
            msg = f"effect_handlers: {handler!r} is not a handler: decorate it with @effect_handler(contract)"
            raise ConfigurationError(msg)
        if handler.contracts is None:
            if self._other is not None:
                msg = f"handlers {self._other.name!r} and {handler.name!r} both take all other effects"
                raise ConfigurationError(msg)
            self._other = handler
        for contract in handler.contracts or ():
            known = self._named.setdefault(contract, handler)
            if known is not handler:
                msg = (
                    f"handlers {known.name!r} and {handler.name!r} are both for {contract!r}: each key has one receiver"
                )
                raise ConfigurationError(msg, contract=contract)
