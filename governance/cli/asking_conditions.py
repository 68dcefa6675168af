"""From what a line of a file asks for to a condition: a schedule, a dependency, a quota, an external check."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from governance.cli.inputs import moment
from governance.domain.conditions import Condition, dependency, external_check, quota, schedule
from governance.domain.errors import InputError
from governance.domain.json_limits import input_error

_DURATION: TypeAdapter[timedelta] = TypeAdapter(timedelta)
_FIELDS: Final[dict[str, frozenset[str]]] = {
    "schedule": frozenset({"not_before", "not_after", "window", "name"}),
    "dependency": frozenset({"requests", "until", "on_failure", "name"}),
    "quota": frozenset({"key", "tokens", "name"}),
    "external_check": frozenset({"name", "timeout", "on_timeout"}),
}


def condition_of(kind: object, given: Mapping[str, Any]) -> Condition:
    """Return the condition of a kind with these fields; InputError, naming the field, for what is none."""
    if not isinstance(kind, str) or kind not in _FIELDS:
        msg = f"requires.kind: {kind!r} is not approval, {', '.join(_FIELDS)}"
        raise InputError(msg, field="requires.kind")
    unknown = sorted(set(given) - _FIELDS[kind])
    if unknown:
        msg = f"requires: {unknown} are not fields of a {kind}: {', '.join(sorted(_FIELDS[kind]))}"
        raise InputError(msg, field="requires")
    try:
        return _made(kind, dict(given))
    except ValidationError as error:
        raise input_error(error, "requires") from None
    except TypeError as error:
        msg = f"requires: {error}"
        raise InputError(msg, field="requires") from None


def _made(kind: str, given: dict[str, Any]) -> Condition:
    for name in ("not_before", "not_after"):
        if name in given:
            given[name] = moment(given[name], field=f"requires.{name}")
    if "timeout" in given:
        given["timeout"] = _DURATION.validate_python(given["timeout"])
    match kind:
        case "schedule":
            return schedule(**given)
        case "dependency":
            return dependency(given.pop("requests", ()), **given)
        case "quota":
            return quota(**given)
    return external_check(**given)
