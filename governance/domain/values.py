"""What every value of the domain has in common: immutable, closed, strict, and safe to store as text."""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from governance.domain.errors import InputError

MAX_ID_CHARS = 200
MAX_TEXT_CHARS = 10_000
SEALED = "sealed:1:"
"""How a sealed value begins; no text from outside may, so that nobody can pass one value off as another."""
_NOT_IN_IDS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


_put_fields = BaseModel.__dict__["__dict__"].__set__
_put_given = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_put_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_put_private = BaseModel.__dict__["__pydantic_private__"].__set__
_V = TypeVar("_V", bound=BaseModel)

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


class Refusing(ModelMetaclass):
    """Makes classes that answer a call with wrong arguments by InputError, naming the field, like all of this package.

    Only the call does: `model_validate` and nested values fail as usual with pydantic.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the new value, or refuse."""
        try:
            return super().__call__(*args, **kwargs)
        except ValidationError as error:
            raise first_problem(error) from None


def first_problem(error: ValidationError, prefix: str = "") -> InputError:
    """Return the InputError that names the first field of a failed pydantic validation and what is wrong with it."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in (*([prefix] if prefix else ()), *first["loc"])) or "value"
    return InputError(f"{field}: {first['msg'].removeprefix('Value error, ')}", field=field)


class Value(BaseModel):
    """An immutable value that refuses unknown fields and does not coerce types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")

    @classmethod
    def sound(cls, **fields: Any) -> Self:
        """Return the value of these fields, which have to be all there are and right already: nothing is looked at.

        For values that rules make of checked ones, many for every command; checking each again is what would cost most.
        """
        return _assembled(cls, fields, _all_fields(cls))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with some fields changed, unchecked; like pydantic's, at a third of the cost."""
        if deep:
            return super().model_copy(update=update, deep=True)
        changes = update or {}
        given = self.__pydantic_fields_set__
        # The set can be shared, because nothing sets a field of a frozen value later.
        return _assembled(
            type(self), {**self.__dict__, **changes}, given if changes.keys() <= given else given | changes.keys()
        )


class Given(Value, metaclass=Refusing):
    """A value that callers and their code make: with wrong arguments it raises InputError."""


@cache
def _all_fields(cls: type[BaseModel]) -> set[str]:
    return set(cls.model_fields)


def _assembled(cls: type[_V], fields: dict[str, Any], given: set[str]) -> _V:
    value = cls.__new__(cls)
    _put_fields(value, fields)
    _put_given(value, given)
    _put_extra(value, None)
    _put_private(value, None)
    return value


def storable_text(text: str) -> str:
    """Return the text unchanged; raise ValueError for NUL and lone surrogates, which no database stores alike.

    And for text that begins as a sealed value does.
    """
    if "\x00" in text:
        msg = "must not contain NUL"
        raise ValueError(msg)
    if text.startswith(SEALED):
        msg = f"must not begin with {SEALED}, as sealed values do"
        raise ValueError(msg)
    try:
        text.encode()
    except UnicodeEncodeError:
        msg = "must not contain lone surrogates"
        raise ValueError(msg) from None
    return text


def clean(text: str) -> str:
    """Return text from user code or an exception in storable form: what cannot be stored replaced, the end cut off."""
    storable = text.encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return storable if len(storable) <= MAX_TEXT_CHARS else f"{storable[: MAX_TEXT_CHARS - 1]}…"


def error_text(error: BaseException) -> str:
    """Return type and words of an error that user code raised, in storable form; of one without words the type."""
    try:
        return clean(f"{type(error).__name__}: {error}")
    except Exception:
        return f"{type(error).__name__}, which cannot say why"


def _printable_id(text: str) -> str:
    if not text.strip():
        msg = "must not be blank"
        raise ValueError(msg)
    if text.startswith(SEALED):
        msg = f"must not begin with {SEALED}, as sealed values do"
        raise ValueError(msg)
    if text.isprintable():
        return text
    for char in text:
        if unicodedata.category(char) in _NOT_IN_IDS:
            msg = f"must not contain the invisible character U+{ord(char):04X}"
            raise ValueError(msg)
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        msg = "must not be blank"
        raise ValueError(msg)
    return text


def _as_tuple(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return tuple(sorted(value))
    return tuple(value) if isinstance(value, list) else value


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        msg = "is beyond the calendar in UTC"
        raise ValueError(msg) from None


Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS), AfterValidator(_printable_id)]
"""1 to 200 visible characters of any script."""

Ids = Annotated[tuple[Id, ...], BeforeValidator(_as_tuple)]
"""Several ids; a list keeps its order, a set is sorted."""

Text = Annotated[str, Field(max_length=MAX_TEXT_CHARS), AfterValidator(storable_text)]
"""Up to 10,000 characters; neither NUL nor lone surrogates."""

Reason = Annotated[Text, AfterValidator(_not_blank)]
"""Text that says something."""

Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""An aware datetime, kept in UTC."""
