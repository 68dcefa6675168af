"""From what a person or a line of a file asks for to the arguments of `Governance.submit`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from governance.cli.actors import actor_of
from governance.cli.asking_conditions import condition_of
from governance.cli.inputs import moment
from governance.domain.errors import InputError
from governance.domain.intent import Intent
from governance.domain.json_limits import input_error
from governance.domain.requirements import Requirement, approval

if TYPE_CHECKING:
    from governance.application import Governance

NAMES = {
    "state_id": "state",
    "actor": "as",
    "idempotency_key": "key",
    "payload": "data",
}
"""Other names under which a file may give the same, being those of the Python API."""

FIELDS = (
    "mutation",
    "data",
    "state",
    "reason",
    "as",
    "stale",
    "expected_version",
    "expires_at",
    "key",
    "supersedes",
    "correlation_id",
    "intent",
    "metadata",
    "requires",
)
"""What can be asked for, by the names of the options."""

_NEEDED = {
    "mutation": "which mutation? `gov mutations` lists them",
    "state": "which state? give --state ID",
    "reason": "why? give --reason TEXT",
}
_DURATION: TypeAdapter[timedelta] = TypeAdapter(timedelta)


def named(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for under the names of the options; InputError for unknown and doubled names."""
    result: dict[str, Any] = {}
    for key, value in asked.items():
        name = NAMES.get(key, key)
        if name not in FIELDS:
            _refuse(key, f"is not known here; known are {', '.join(FIELDS)}")
        if name in result:
            _refuse(name, "is given twice, under two names")
        result[name] = value
    return result


def arguments(governance: "Governance", asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `submit`; InputError names the field, UnknownMutationError the mutation."""
    for field, question in _NEEDED.items():
        if asked.get(field) is None:
            _refuse(field, question)
    actor, data = actor_of(asked.get("as")), asked.get("data")
    return {
        "mutation": governance.catalog.parse(_text(asked, "mutation"), {} if data is None else data),
        "state_id": asked["state"],
        "actor": actor,
        "reason": asked["reason"],
        "intent": _intent(asked.get("intent")),
        "requires": _requires(asked.get("requires")),
        "expected_version": asked.get("expected_version"),
        "stale": asked.get("stale") or "revalidate",
        "expires_at": moment(asked.get("expires_at"), field="expires_at"),
        "idempotency_key": asked.get("key"),
        "supersedes": asked.get("supersedes"),
        "correlation_id": asked.get("correlation_id"),
        "metadata": asked.get("metadata"),
    }


def _intent(given: Any) -> Intent | None:
    if given is None:
        return None
    try:
        return Intent.model_validate_json(to_json(given))
    except ValidationError as error:
        raise input_error(error, "intent") from None


def _requires(given: Any) -> tuple[Requirement, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        _refuse("requires", 'must be a list of objects such as {"role": "lead", "quorum": 2}')
    return tuple(map(_requirement, given))


def _requirement(given: dict[str, Any]) -> Requirement:
    wanted = dict(given)
    kind = wanted.pop("kind", "approval")
    if kind != "approval":
        return condition_of(kind, wanted)
    try:
        if "expires_after" in wanted:
            wanted["expires_after"] = _DURATION.validate_python(wanted["expires_after"])
        if "expires_at" in wanted:
            wanted["expires_at"] = moment(wanted["expires_at"], field="requires.expires_at")
        return approval(**wanted)
    except TypeError:
        _refuse("requires", f"{sorted(given)} are not what approval(...) takes: role, group, actor, quorum, step, …")
    except ValidationError as error:
        raise input_error(error, "requires") from None


def _text(asked: Mapping[str, Any], field: str) -> str:
    value = asked[field]
    if not isinstance(value, str):
        _refuse(field, "must be text")
    return value


def _refuse(field: str, what: str) -> NoReturn:
    msg = f"{field}: {what}"
    raise InputError(msg, field=field)
