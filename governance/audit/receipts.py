"""Receipts: one file that proves, offline, who approved exactly what and that it ran."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from governance.audit.keeping import KeptTree
from governance.audit.lawful import LawfulRequest
from governance.audit.notes import Checkpoint, Note, NoteError, Verifier, opened
from governance.audit.proofs import Leaf, event_hash, inclusion_holds
from governance.domain.digest import digest
from governance.domain.errors import GovernanceError, InputError, NotFoundError
from governance.domain.events import Executed, StateChanged
from governance.domain.recorded import Recorded
from governance.domain.request import MutationRequest
from governance.event_store.audit_decoding import decoded
from governance.event_store.audit_rows import AuditRows, Row
from governance.streams import request_stream, state_stream

FORMAT: Final = "governance-receipt-1"


@dataclass(frozen=True)
class Checked:
    """What a receipt proves, and what is wrong with it: if anything is, it proves nothing."""

    request: MutationRequest | None
    checkpoint: Checkpoint | None
    signed_by: tuple[str, ...]
    wrong: tuple[str, ...]


def receipt(rows: AuditRows, tree: KeptTree, request_id: str, signed: str, keys: Sequence[Verifier]) -> dict[str, Any]:
    """Return the receipt of a request; NotFoundError when the checkpoint does not cover all of its events."""
    checkpoint = Checkpoint.parse(Note.parse(signed).text)
    found = list(rows.stream(request_stream(request_id)))
    if not found:
        msg = f"there is no request {request_id}"
        raise NotFoundError(msg, request=request_id)
    found += rows.at([_made(decoded(row).event) for row in found if isinstance(decoded(row).event, Executed)])
    return {
        "format": FORMAT,
        "request_id": request_id,
        "events": [_proven(row, tree, checkpoint.size) for row in found],
        "checkpoint": signed,
        "keys": [str(each) for each in keys],
    }


def check(text: str, trusted: Sequence[Verifier] = ()) -> Checked:
    """Return what a receipt proves. Keys that the caller trusts are asked for; without any, those in the receipt.

    InputError for what is not a receipt.
    """
    document = _document(text)
    wrong: list[str] = []
    checkpoint, signers = _signed(document, trusted, wrong)
    rows = [_row(each) for each in document["events"]]
    if checkpoint is not None:
        wrong += _not_included(document["events"], rows, checkpoint)
    request = _story(document["request_id"], rows, wrong)
    return Checked(request, checkpoint, signers, tuple(wrong))


def _made(event: Any) -> tuple[str, int]:
    return state_stream(event.state_id), event.version


def _proven(row: Row, tree: KeptTree, size: int) -> dict[str, Any]:
    position, stream, version, topic, state = row
    leaf = tree.index_of(position)
    if leaf >= size:
        msg = f"the checkpoint does not cover position {position} yet: make a new one (gov audit checkpoint)"
        raise NotFoundError(msg, position=position)
    return {
        "position": position,
        "stream": stream.decode(),
        "version": version,
        "topic": topic.decode(),
        "state": state.decode(),
        "leaf": leaf,
        "proof": [b64encode(node).decode() for node in tree.inclusion(leaf, size)],
    }


def _document(text: str) -> dict[str, Any]:
    shape = {"position": int, "stream": str, "version": int, "topic": str, "state": str, "leaf": int, "proof": list}
    try:
        document = json.loads(text)
        sound = document["format"] == FORMAT and isinstance(document["request_id"], str)
        sound = sound and isinstance(document["checkpoint"], str) and isinstance(document["keys"], list)
        sound = sound and all(type(each[name]) is kind for each in document["events"] for name, kind in shape.items())
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        msg = f"file: not a receipt of format {FORMAT}"
        raise InputError(msg, field="file")
    return dict(document)


def _signed(
    document: dict[str, Any], trusted: Sequence[Verifier], wrong: list[str]
) -> tuple[Checkpoint | None, tuple[str, ...]]:
    try:
        keys = tuple(trusted) or tuple(Verifier.parse(str(each)) for each in document["keys"])
        checkpoint, signers = opened(document["checkpoint"], keys)
    except NoteError as error:
        wrong.append(f"checkpoint: {error}")
        return None, ()
    return checkpoint, tuple(str(each) for each in signers)


def _row(each: dict[str, Any]) -> Row:
    return each["position"], each["stream"].encode(), each["version"], each["topic"].encode(), each["state"].encode()


def _not_included(entries: Sequence[dict[str, Any]], rows: Sequence[Row], checkpoint: Checkpoint) -> Iterator[str]:
    for entry, row in zip(entries, rows, strict=True):
        try:
            path = [b64decode(str(node), validate=True) for node in entry["proof"]]
            holds = inclusion_holds(event_hash(Leaf(*row)), entry["leaf"], checkpoint.size, path, checkpoint.root)
        except ValueError:
            holds = False
        if not holds:
            yield f"position {row[0]}: the event is not in the signed tree"


def _story(request_id: str, rows: Iterable[Row], wrong: list[str]) -> MutationRequest | None:
    lawful, stream = LawfulRequest(), request_stream(request_id)
    made: dict[tuple[str, int], StateChanged] = {}
    executed: list[Executed] = []
    try:
        for recorded in map(decoded, rows):
            event = recorded.event
            if recorded.stream == stream:
                wrong += _follows(recorded, lawful)
                executed += [event] if isinstance(event, Executed) else []
            elif isinstance(event, StateChanged):
                made[recorded.stream, recorded.version] = event
    except GovernanceError as error:
        wrong.append(error.message)
        return None
    for each in executed:
        wrong += _ran(request_id, each, made.pop(_made(each), None))
    wrong += [f"version {version} of {stream} is nothing that the request made" for stream, version in made]
    if lawful.request is None:
        wrong.append("the receipt does not hold the request's events")
    return lawful.request


def _follows(recorded: Recorded, lawful: LawfulRequest) -> Iterator[str]:
    before = lawful.request.version if lawful.request else 0
    if recorded.version != before + 1:
        yield f"position {recorded.position}: version {recorded.version} follows {before}, so an event is missing"
    yield from (f"position {recorded.position}: {each}" for each in lawful.take(recorded))


def _ran(request_id: str, executed: Executed, made: StateChanged | None) -> Iterator[str]:
    if made is None:
        yield f"version {executed.version} of {executed.state_id} is not in the receipt"
    elif (made.request_id, made.digest, digest(made.value)) != (request_id, executed.digest, executed.digest):
        yield f"version {executed.version} of {executed.state_id} is not what the request made"
