"""Change sets: what differs between two JSON values, leaf by leaf, as a person would tell it."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from governance.domain.frozen_json import Json, frozen
from governance.domain.personal import lasting
from governance.domain.values import Value


class Change(Value):
    """One difference: where (a JSON Pointer, RFC 6901; a last part `-` is the end of a list, RFC 6902), old and new."""

    path: str
    kind: Literal["added", "removed", "replaced"]
    old: Json = None
    new: Json = None


ChangeSet = tuple[Change, ...]


def diff(before: Any, after: Any) -> ChangeSet:
    """Return the changes that lead from one JSON value to the other, in the order in which they apply.

    Something added at the end of a list is told by value, not by place (`/admins/-`), so that the same addition to a
    list that has grown meanwhile is the same change.
    """
    return tuple(_diff(before, after, ""))


def changed_paths(changes: Iterable[Change]) -> tuple[str, ...]:
    """Return the paths of the changes, each once, sorted."""
    return tuple(sorted({change.path for change in changes}))


def touches(paths: Iterable[str], areas: Iterable[str]) -> bool:
    """Return whether any path lies in, or holds, any of the areas (both JSON Pointers)."""
    return any(_overlap(path, area) for path in paths for area in areas)


def _overlap(path: str, area: str) -> bool:
    return f"{path}/".startswith(f"{area}/") or f"{area}/".startswith(f"{path}/")


def _change(path: str, kind: Literal["added", "removed", "replaced"], old: Any, new: Any) -> Change:
    return Change.sound(path=path, kind=kind, old=frozen(old), new=frozen(new))


def _diff(before: Any, after: Any, path: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _diff_objects(before, after, path)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _diff_lists(before, after, path)
    elif not same(before, after):
        yield _change(path, "replaced", before, after)


def _diff_objects(before: dict[str, Any], after: dict[str, Any], path: str) -> Iterator[Change]:
    for key in sorted({*before, *after}):
        here = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        if key not in after:
            yield _change(here, "removed", before[key], None)
        elif key not in before:
            yield _change(here, "added", None, after[key])
        else:
            yield from _diff(before[key], after[key], here)


def _diff_lists(before: list[Any], after: list[Any], path: str) -> Iterator[Change]:
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    if len(old) == len(new):
        for index, (was, becomes) in enumerate(zip(old, new, strict=True), start=head):
            yield from _diff(was, becomes, f"{path}/{index}")
        return
    for index in reversed(range(len(old))):
        yield _change(f"{path}/{head + index}", "removed", old[index], None)
    for index, value in enumerate(new):
        yield _change(f"{path}/{head + index if tail else '-'}", "added", None, value)


def _common(left: list[Any], right: list[Any]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if not same(one, other):
            break
        count += 1
    return count


def equal_changes(one: ChangeSet, other: ChangeSet) -> bool:
    """Return whether two change sets are equal, wherever what is sealed in them stands."""
    if one == other:
        return True
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(same(each.model_dump(), its.model_dump()) for each, its in pairs)


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal; unlike Python, true is not 1 and 1 is not 1.0.

    A sealed value is equal to itself wherever it stands.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) is not type(other):
        return False
    return bool(one == other) or (isinstance(one, str) and lasting(one) == lasting(other))
