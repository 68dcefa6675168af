"""Files of batches: what they say, completed by the options, and turned into arguments of `submit_batch`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from governance.cli.actors import actor_of
from governance.cli.asking import arguments, named
from governance.cli.inputs import MAX_INPUT_BYTES, decoded, json_value
from governance.domain.errors import GovernanceError, InputError
from governance.domain.json_limits import check_json, parse_json

if TYPE_CHECKING:
    from governance.application import Governance

_YAML = {".yaml", ".yml"}
_OF_BATCH = ("items", "reason", "atomic", "key", "as")
_NOT_OF_ITEMS = ("key", "supersedes")


@dataclass(frozen=True)
class BatchFile:
    """What a file and the options ask for."""

    items: list[dict[str, Any]]
    atomic: bool
    reason: str
    actor: Any
    key: str | None

    def arguments(self, governance: "Governance") -> dict[str, Any]:
        """Return the arguments of `submit_batch`; InputError and UnknownMutationError name the item."""
        items = [self._item(governance, number, each) for number, each in enumerate(self.items)]
        who = actor_of(self.actor)
        key = self.key
        return {"items": items, "atomic": self.atomic, "actor": who, "reason": self.reason, "idempotency_key": key}

    def _item(self, governance: "Governance", number: int, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            return arguments(governance, {"reason": self.reason, "as": self.actor, **asked})
        except GovernanceError as error:
            error.ids.setdefault("item", str(number))
            error.message = f"item {number}: {error.message}"
            raise


def read_batch(name: str, *, atomic: bool | None, reason: str | None, actor: str | None, key: str | None) -> BatchFile:
    """Return what a file asks for; what is given as option counts instead of what the file says of the whole."""
    read = _read(name)
    whole: Mapping[str, Any] = {"items": read} if isinstance(read, list) else read if isinstance(read, dict) else {}
    unknown = sorted(set(whole) - set(_OF_BATCH))
    if unknown or not isinstance(whole.get("items"), list):
        _refuse("file", f"is neither a list of items nor an object of {', '.join(_OF_BATCH)}")
    given = {"reason": reason, "atomic": atomic, "key": key, "as": actor}
    told = {**whole, **{name: value for name, value in given.items() if value is not None}}
    if not isinstance(told.get("atomic", True), bool):
        _refuse("atomic", "must be true or false")
    if told.get("reason") is None:
        _refuse("reason", "why? give --reason TEXT, or say so in the file")
    return BatchFile(
        items=[_item(number, each) for number, each in enumerate(whole["items"])],
        atomic=told.get("atomic", True),
        reason=told["reason"],
        actor=told.get("as"),
        key=told.get("key"),
    )


def _item(number: int, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        _refuse("items", f"item {number} is not an object")
    asked = named(given)
    for name in _NOT_OF_ITEMS:
        if asked.get(name) is not None:
            _refuse(f"items.{name}", "is not for items of a batch")
    return asked


def _read(name: str) -> Any:
    kind = Path(name).suffix.lower()
    if kind == ".jsonl":
        return [parse_json(each, field="file") for each in _text(name).splitlines() if each.strip()]
    if kind not in _YAML:
        return json_value(name if name == "-" else f"@{name}", field="file")
    from governance.declarative.yaml_documents import read_yaml

    read, _ = read_yaml(_text(name), name)
    check_json(read, field="file", max_bytes=MAX_INPUT_BYTES)
    return read


def _text(name: str) -> str:
    try:
        with Path(name).open("rb") as file:
            return decoded(file.read(MAX_INPUT_BYTES + 1), "file")
    except (OSError, ValueError) as error:
        _refuse("file", f"cannot read {name!r}: {getattr(error, 'strerror', None) or error}")


def _refuse(field: str, what: str) -> NoReturn:
    msg = f"{field}: {what}"
    raise InputError(msg, field=field)
