"""What JSON the product takes in: the intersection of what every database, reader and digest treats alike."""

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any, NoReturn

from pydantic import BaseModel, JsonValue, TypeAdapter

from governance.domain.errors import InputError
from governance.domain.values import first_problem, storable_text

MAX_DEPTH = 32
MAX_NODES = 10_000
MAX_SAFE_INTEGER = 2**53 - 1  # RFC 7493 (I-JSON) section 2.2, required by RFC 8785
_BYTES = TypeAdapter(JsonValue)
input_error = first_problem
"""What a failed validation becomes."""


def check_json(value: Any, *, field: str, max_bytes: int) -> None:
    """Refuse JSON that cannot be stored, hashed and read alike everywhere; InputError names the place.

    Refused: depth over 32, more than 10,000 nodes, integers beyond 2**53 - 1, NaN and infinities, NUL and lone
    surrogates, anything that is not JSON, and more than `max_bytes` bytes of UTF-8 text.
    """
    _Walk(field).visit(value, field, 1)
    size = len(_BYTES.dump_json(value))
    if size > max_bytes:
        _refuse(field, f"takes {size:,} bytes, more than the limit of {max_bytes:,}")


def parse_json(text: str, *, field: str) -> Any:
    """Return the JSON value that the text holds; InputError for bad JSON, duplicate keys, NaN and infinities."""
    try:
        return json.loads(text, object_pairs_hook=_unique(field), parse_constant=_no_constant(field))
    except RecursionError:
        _refuse(field, f"is nested more than {MAX_DEPTH} levels deep")
    except ValueError as error:
        _refuse(field, f"is not JSON: {error}")


def dump(model: BaseModel, *, field: str) -> dict[str, Any]:
    """Return a model as JSON values; InputError when it holds something that JSON cannot hold."""
    try:
        # Without warnings of wrong types: whoever dumps reads the result back, which refuses them.
        dumped: dict[str, Any] = model.model_dump(mode="json", by_alias=True, warnings=False)
        if _has_sets(type(model)):
            dumped = _in_order(model.model_dump(by_alias=True, warnings=False), dumped)
    except (ValueError, RecursionError) as error:
        msg = f"{field}: cannot be written as JSON: {error}"
        raise InputError(msg, field=field) from None
    return dumped


@cache
def _has_sets(model: type[BaseModel]) -> bool:
    try:
        return '"uniqueItems"' in json.dumps(model.model_json_schema(mode="serialization"))
    except Exception:  # a schema that cannot be written says nothing; then look
        return True


def _in_order(value: Any, dumped: Any) -> Any:
    """Return the dumped JSON with what was a set sorted, since the order of a set differs from process to process."""
    if isinstance(value, set | frozenset) and isinstance(dumped, list):
        return sorted(dumped, key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, dict) and isinstance(dumped, dict) and len(value) == len(dumped):
        pairs = zip(value.values(), dumped.items(), strict=True)
        return {key: _in_order(part, item) for part, (key, item) in pairs}
    if isinstance(value, list | tuple) and isinstance(dumped, list) and len(value) == len(dumped):
        return [_in_order(part, item) for part, item in zip(value, dumped, strict=True)]
    return dumped


def copied(value: Any) -> Any:
    """Return JSON of which nothing that can be changed in place is shared with the original."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


class _Walk:
    """Visits every node of a JSON value once and counts them."""

    def __init__(self, field: str) -> None:
        self.field = field
        self.nodes = 0

    def visit(self, value: Any, path: str, depth: int) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            _refuse(self.field, f"has more than {MAX_NODES:,} values")
        if depth > MAX_DEPTH:
            _refuse(path, f"is nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, dict):
            for key, item in value.items():
                _check_key(key, path)
                self.visit(item, f"{path}.{key}", depth + 1)
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                self.visit(item, f"{path}.{index}", depth + 1)
        else:
            _check_leaf(value, path)


def _check_key(key: Any, path: str) -> None:
    if not isinstance(key, str):
        _refuse(path, f"has a key that is not text: {key!r}")
    _check_leaf(key, path)


def _check_leaf(value: Any, path: str) -> None:
    if isinstance(value, str):
        try:
            storable_text(value)
        except ValueError as error:
            _refuse(path, str(error))
    elif isinstance(value, float):
        if not math.isfinite(value):
            _refuse(path, "must be a finite number")
    elif isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            _refuse(path, "is an integer beyond 2**53 - 1, which JSON readers do not agree on; give it as text")
    elif value is not None:
        _refuse(path, f"is a {type(value).__name__}, which is not JSON")


def _unique(field: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key, value in pairs:
            if key in built:
                _refuse(f"{field}.{key}"[:200], "appears twice")
            built[key] = value
        return built

    return build


def _no_constant(field: str) -> Callable[[str], NoReturn]:
    def refuse(constant: str) -> NoReturn:
        _refuse(field, f"holds {constant}, which is not JSON")

    return refuse


def _refuse(field: str, what: str) -> NoReturn:
    msg = f"{field}: {what}"
    raise InputError(msg, field=field)
