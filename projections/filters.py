"""Filters over the rows of a view: typed values that combine with `&`, `|` and `~`, and know nothing of SQL.

    where = field("status").is_in("pending", "approved") & ~field("tag").has_any("test")

Which fields a view has, and what each can be asked, is in its `fields`; anything else is refused with InputError.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from governance.domain.errors import InputError

Scalar = bool | int | float | AwareDatetime | str
MAX_VALUES: Final = 100_000
MAX_DEPTH: Final = 40
MAX_PARTS: Final = 2_000


class _Filter(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def __and__(self, other: "Filter") -> "AllOf":
        return AllOf(parts=(self, other))  # type: ignore[arg-type]

    def __or__(self, other: "Filter") -> "AnyOf":
        return AnyOf(parts=(self, other))  # type: ignore[arg-type]

    def __invert__(self) -> "Not":
        return Not(part=self)  # type: ignore[arg-type]


class IsIn(_Filter):
    """The field has one of the values; with no value nothing matches."""

    op: Literal["is_in"] = "is_in"
    field: str
    values: tuple[Scalar, ...]


class Between(_Filter):
    """The field lies in the range, both ends included; an end that is None is open. Rows without a value are out."""

    op: Literal["between"] = "between"
    field: str
    low: Scalar | None = None
    high: Scalar | None = None


class Has(_Filter):
    """The field, which has several values, has any of these, or all of these."""

    op: Literal["has"] = "has"
    field: str
    values: tuple[str, ...]
    every: bool = False


class Contains(_Filter):
    """The text of the field contains this text, whatever the case."""

    op: Literal["contains"] = "contains"
    field: str
    text: str


class Missing(_Filter):
    """The field has no value."""

    op: Literal["missing"] = "missing"
    field: str


class AllOf(_Filter):
    """Every part holds; with no part, always."""

    op: Literal["all_of"] = "all_of"
    parts: "tuple[Filter, ...]"


class AnyOf(_Filter):
    """At least one part holds; with no part, never."""

    op: Literal["any_of"] = "any_of"
    parts: "tuple[Filter, ...]"


class Not(_Filter):
    """The part does not hold."""

    op: Literal["not"] = "not"
    part: "Filter"


Filter = Annotated[IsIn | Between | Has | Contains | Missing | AllOf | AnyOf | Not, Field(discriminator="op")]
"""Any filter."""

for _model in (AllOf, AnyOf, Not):
    _model.model_rebuild()
_FILTER: Final[TypeAdapter[Filter]] = TypeAdapter(Filter)


def read_filter(text: str | bytes) -> Filter:
    """Return the filter that a JSON text holds; InputError, naming the place, for anything else."""
    try:
        return _FILTER.validate_json(text, strict=False)
    except (ValidationError, RecursionError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "too deep"}
        place = ".".join(str(each) for each in first["loc"]) or "where"
        msg = f"where: {place}: {first['msg']}"
        raise InputError(msg, field="where") from None


class field:  # noqa: N801 - reads as a word in `field("status").is_in(...)`
    """The start of a filter: a field of a view by its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def is_in(self, *values: Scalar) -> IsIn:
        """Return the filter for rows whose field has one of the values."""
        return IsIn(field=self._name, values=values)

    def between(self, low: Scalar | None = None, high: Scalar | None = None) -> Between:
        """Return the filter for rows whose field lies in the range, both ends included."""
        return Between(field=self._name, low=low, high=high)

    def has_any(self, *values: str) -> Has:
        """Return the filter for rows whose field has any of the values."""
        return Has(field=self._name, values=values)

    def has_all(self, *values: str) -> Has:
        """Return the filter for rows whose field has all of the values."""
        return Has(field=self._name, values=values, every=True)

    def contains(self, text: str) -> Contains:
        """Return the filter for rows whose text contains this, whatever the case."""
        return Contains(field=self._name, text=text)

    def missing(self) -> Missing:
        """Return the filter for rows whose field has no value."""
        return Missing(field=self._name)


Kind = Literal["text", "number", "moment", "flag"]


@dataclass(frozen=True)
class Plain:
    """A field that is a column, compared by value; names in `ranked` are compared by their place in it."""

    column: str
    kind: Kind = "text"
    ranked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Words:
    """A text that is searched; `folded` is the column with its case folded where that makes a difference."""

    column: str
    folded: str


@dataclass(frozen=True)
class Labels:
    """A field with several values, kept in a table of the view with the columns `kind` and `value`."""

    table: str
    kind: str
    owner: str = "request_id"


@dataclass(frozen=True)
class Bits:
    """A field with several values out of a fixed list, kept as bits of one number."""

    column: str
    names: Mapping[str, int]

    def __hash__(self) -> int:
        return hash(self.column)


Fields = Mapping[str, Plain | Words | Labels | Bits]
"""The fields of a view by name."""
