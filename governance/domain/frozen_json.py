"""JSON that nobody can change in place: what a request holds can be handed out and kept without a copy."""

from collections.abc import Iterable
from typing import Annotated, Any, NoReturn

from pydantic import AfterValidator, JsonValue


def _refuse(self: object, *_: object, **__: object) -> NoReturn:
    msg = "this JSON belongs to a recorded fact and cannot be changed; make a copy: dict(value) or list(value)"
    raise TypeError(msg)


class FrozenDict(dict[str, Any]):
    """A JSON object that refuses to be changed; equal to a dict of the same items."""

    __slots__ = ()
    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        """Return how to make it again: copied and pickled as a whole."""
        return FrozenDict, (dict(self),)


class FrozenList(list[Any]):
    """A JSON array that refuses to be changed; equal to a list of the same items."""

    __slots__ = ()
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __reduce__(self) -> tuple[type, tuple[list[Any]]]:
        """Return how to make it again: copied and pickled as a whole."""
        return FrozenList, (list(self),)


def frozen(value: Any) -> Any:
    """Return JSON of which nothing can be changed in place, at any depth."""
    if isinstance(value, FrozenDict | FrozenList):
        return value
    if isinstance(value, dict):
        return FrozenDict(_frozen_items(value.items()))
    return FrozenList(frozen(item) for item in value) if isinstance(value, list) else value


def _frozen_items(items: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, Any]]:
    return ((key, frozen(item) if isinstance(item, dict | list) else item) for key, item in items)


Json = Annotated[JsonValue, AfterValidator(frozen)]
"""A JSON value that cannot be changed in place."""

JsonObject = Annotated[dict[str, JsonValue], AfterValidator(frozen)]
"""A JSON object that cannot be changed in place."""
