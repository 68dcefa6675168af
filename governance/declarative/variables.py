"""What the variables of an expression hold: plain JSON values, and one timestamp, made when they are asked for."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from governance.domain.json_limits import dump
from governance.domain.policies import AnyMutation, Context


class Variables(Mapping[str, Any]):
    """The variables for one mutation on one state in one context; what nobody asks for is never made."""

    def __init__(self, mutation: AnyMutation, state: Any, context: Context) -> None:
        self._mutation = mutation
        self._state = state
        self._context = context
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _MAKERS[name](self)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_MAKERS)

    def __len__(self) -> int:
        return len(_MAKERS)

    @cached_property
    def payload(self) -> dict[str, Any]:
        """Return the fields of the mutation as JSON."""
        return dump(self._mutation, field="mutation")

    def mutation(self) -> dict[str, Any]:
        """Return the mutation: its fields by name, and, whatever these are called, its type, version and payload."""
        own = {"type": self._mutation.mutation_type, "version": self._mutation.mutation_version}
        return {**self.payload, **own, "payload": self.payload}

    def state(self) -> Any:
        """Return the value of the state as JSON."""
        return dump(self._state, field="state") if isinstance(self._state, BaseModel) else self._state

    def actor(self) -> dict[str, Any]:
        """Return who asks, and for whom."""
        return {**self._context.actor.model_dump(mode="json"), "person": self._context.actor.person}

    def intent(self) -> dict[str, Any]:
        """Return the intent; its blast radius is never null."""
        intent = self._context.intent.model_dump(mode="json")
        return {**intent, "blast_radius": intent["blast_radius"] or {"scope": "single", "count": None, "text": None}}

    def plain(self, name: str) -> Any:
        """Return what the context holds under this name."""
        return getattr(self._context, name)

    def change_set(self) -> list[dict[str, Any]]:
        """Return what would change."""
        return [each.model_dump(mode="json") for each in self._context.change_set]

    def compensates(self) -> dict[str, Any] | None:
        """Return what is put right, None for a request that puts nothing right."""
        link = self._context.compensates
        return None if link is None else link.model_dump(mode="json")


def _plain(name: str) -> Callable[[Variables], Any]:
    return lambda variables: variables.plain(name)


_MAKERS: dict[str, Callable[[Variables], Any]] = {
    "mutation": Variables.mutation,
    "state": Variables.state,
    "actor": Variables.actor,
    "intent": Variables.intent,
    "change_set": Variables.change_set,
    "compensates": Variables.compensates,
    **{name: _plain(name) for name in ("state_id", "state_version", "now", "reason", "metadata", "round")},
}
