"""Reading who acts, from `--as`."""

from typing import Any

from pydantic import ValidationError

from governance.domain.actors import Actor
from governance.domain.errors import InputError
from governance.domain.json_limits import input_error, parse_json

_LISTS = {"role": "roles", "group": "groups"}
_SINGLE = {"kind": "kind", "for": "on_behalf_of", "name": "name"}


def actor_of(given: object) -> Actor:
    """Return the actor that a text such as `ada:lead,group=ops`, or a JSON object, names; InputError for others."""
    if given is None or given == "":
        msg = "actor: nobody acts: give --as NAME or --as NAME:ROLE, or set GOVERNANCE_ACTOR"
        raise InputError(msg, field="actor")
    if isinstance(given, str):
        given = parse_json(given, field="actor") if given.lstrip().startswith("{") else _fields(given)
    if not isinstance(given, dict):
        msg = 'actor: write NAME, NAME:ROLE,ROLE or an object such as {"id": "ada", "roles": ["lead"]}'
        raise InputError(msg, field="actor")
    try:
        return Actor.model_validate(given)
    except ValidationError as error:
        raise input_error(error, "actor") from None


def _fields(text: str) -> dict[str, Any]:
    name, colon, rest = text.partition(":")
    fields: dict[str, Any] = {"id": name}
    for item in rest.split(",") if colon else ():
        key, equals, value = item.strip().partition("=")
        if not equals:
            key, value = "role", key
        if key in _LISTS:
            fields.setdefault(_LISTS[key], []).append(value)
        elif key in _SINGLE:
            fields[_SINGLE[key]] = value
        else:
            msg = f"actor: {item.strip()!r} is not role=, group=, kind=, name= or for="
            raise InputError(msg, field="actor")
    return fields
