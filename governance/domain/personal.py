"""Personal data: which fields of models hold it and whose it is, and the sealed form in which the product keeps it.

A sealed value is text: `sealed:1:KEY:COMMITMENT:CIPHERTEXT:PLACE`. Key and commitment are the same wherever the value
stands; ciphertext and place (version, stream and field) are not. So digests and comparisons look at the first two.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol, TypeVar, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from governance.domain.errors import ConfigurationError, InputError
from governance.domain.values import SEALED

ERASED: Final = "[erased]"
"""How a value shows whose key was destroyed."""
_IN_JSON: Final = re.compile(rb'(?<!\\)"(sealed:1:[^":\\]*:[^":\\]*):[^"]*"')
_START: Final = b'"' + SEALED.encode()
T = TypeVar("T")


class Sealer(Protocol):
    """What seals values under the keys of those whom they are about, and opens them again."""

    texts: frozenset[str]
    """What else is sealed of every event, by rule."""

    def sealed(self, subject: str, value: Any) -> str:
        """Return the sealed form of a JSON value."""
        ...

    def opened(self, thing: T) -> T:
        """Return the thing with every sealed value in it opened; `[erased]` where the key was destroyed."""
        ...


@dataclass(frozen=True)
class Personal:
    """Marks a field that holds personal data of whom the field `subject` beside it names."""

    subject: str


def personal(*, subject: str) -> Personal:
    """Return the mark of a personal field, as in `email: Annotated[str, personal(subject="user")]`.

    `subject` names the field beside it that says whose data it is, by an id that says nothing of the person.
    """
    return Personal(subject)


def lasting(text: str) -> str:
    """Return what of a sealed value is the same wherever it stands; other text unchanged."""
    return ":".join(text.split(":", 4)[:4]) if text.startswith(SEALED) else text


def without_ciphertext(json: bytes) -> bytes:
    """Return JSON in which of every sealed value only what lasts is left: that is what digests are made of."""
    return _IN_JSON.sub(rb'"\1"', json) if _START in json else json


@cache
def has_personal(model: type[BaseModel]) -> bool:
    """Return whether any field of a model, or of the models in it, is marked."""
    return any(True for _ in _marked(model, set()))


def seal(value: Any, dumped: Any, sealer: Sealer) -> Any:
    """Return the JSON of a model's value with every marked field sealed."""
    if isinstance(value, BaseModel) and isinstance(dumped, dict):
        return dumped | dict(_sealed_fields(value, dumped, sealer))
    if isinstance(value, dict) and isinstance(dumped, dict) and len(value) == len(dumped):
        parts = zip(value.values(), dumped.items(), strict=True)
        return {key: seal(part, item, sealer) for part, (key, item) in parts}
    if isinstance(value, list | tuple) and isinstance(dumped, list) and len(value) == len(dumped):
        return [seal(part, item, sealer) for part, item in zip(value, dumped, strict=True)]
    return dumped


def check_personal(model: type[BaseModel]) -> None:
    """Refuse marks that could not be kept: ConfigurationError, naming the field."""
    for owner, name, field in _marked(model, set()):
        where = f"{owner.__name__}.{name}"
        mark = _mark(field)
        if mark is None:
            msg = f"{where}: mark the whole field, as in Annotated[str | None, personal(...)], and use no set around it"
        elif mark.subject not in owner.model_fields or mark.subject == name:
            msg = f"{where}: there is no other field {mark.subject!r} that says whose data it is"
        elif not _takes_erased(field):
            msg = f"{where}: has to take the text {ERASED!r}, which stands there once the data was erased"
        else:
            continue
        raise ConfigurationError(msg, field=name)


def _sealed_fields(value: BaseModel, dumped: dict[str, Any], sealer: Sealer) -> Iterator[tuple[str, Any]]:
    for name, field in type(value).model_fields.items():
        key = field.serialization_alias or field.alias or name
        plain, mark = dumped.get(key), _mark(field)
        if mark is None:
            yield key, seal(getattr(value, name), plain, sealer)
        elif plain is None or plain == ERASED:
            yield key, plain
        else:
            yield key, sealer.sealed(_subject(value, mark, name), plain)


def _subject(value: BaseModel, mark: Personal, name: str) -> str:
    subject = getattr(value, mark.subject)
    if not isinstance(subject, str) or not subject.strip():
        msg = f"{name}: {mark.subject} has to say whose data it is"
        raise InputError(msg, field=mark.subject)
    return subject


def _mark(field: FieldInfo) -> Personal | None:
    return next((each for each in field.metadata if isinstance(each, Personal)), None)


def _takes_erased(field: FieldInfo) -> bool:
    try:
        TypeAdapter(field.rebuild_annotation()).validate_python(ERASED)
    except ValidationError:
        return False
    return True


def _marked(model: type[BaseModel], seen: set[Any]) -> Iterator[tuple[type[BaseModel], str, FieldInfo]]:
    """Return every field that is marked, or in whose type a mark hides, with the model that it belongs to."""
    seen.add(model)
    for name, field in model.model_fields.items():
        if _mark(field) is not None:
            yield model, name, field
            continue
        for each in _within(field.annotation, in_set=False):
            if isinstance(each, Personal):
                yield model, name, field
            elif isinstance(each, type) and each not in seen:
                yield from _marked(each, seen)


def _within(annotation: Any, *, in_set: bool) -> Iterator[Any]:
    """Return the models in a type, and the marks that stand where they could not be kept."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if in_set and has_personal(annotation):
            yield Personal("")
        yield annotation
    if isinstance(annotation, Personal):
        yield annotation
    around = in_set or get_origin(annotation) in {set, frozenset}
    for each in get_args(annotation):
        yield from _within(each, in_set=around)
