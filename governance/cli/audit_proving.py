"""`gov audit checkpoint`, `verify`, `prove` and `receipt`: the log signed, checked, and proven to others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli.audit import Request, app
from governance.cli.audit_opening import (
    DEFAULT_KEYS,
    KeysDirectory,
    anchors,
    audited,
    full_request_id,
    key_store,
    now,
    read_text,
)
from governance.cli.commands import command
from governance.cli.exits import Exit
from governance.cli.session import Answer, Session
from governance.domain.errors import InputError

if TYPE_CHECKING:
    from governance.audit.receipts import Checked

Checkpoints = Annotated[
    list[str] | None,
    typer.Option("--checkpoint", metavar="PATH", help="A signed checkpoint, or a directory of them. Repeatable."),
]
One = Annotated[str | None, typer.Option("--checkpoint", metavar="FILE", help="The checkpoint. (default: a new one)")]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="FILE", help="Begin behind what this checkpoint covers, and trust that."),
]
Resume = Annotated[
    str | None,
    typer.Option("--resume", metavar="FILE", help="Keep the progress there, and go on from it if it is there."),
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", metavar="N", min=1, help="In so many processes. (default: one per core)")
]
Quick = Annotated[bool, typer.Option("--hashes-only", help="Do not look at what the events mean.", show_default=False)]
At = Annotated[int, typer.Argument(metavar="POSITION", help="The position of an event.")]
Check = Annotated[str | None, typer.Option("--check", metavar="FILE", help="Check this receipt; needs no store.")]
Out = Annotated[str | None, typer.Option("--out", metavar="FILE", help="Write it there.")]


@command(app, "verify")
def verify(
    session: Session,
    checkpoint: Checkpoints = None,
    from_: From = None,
    hashes_only: Quick = False,
    resume: Resume = None,
    jobs: Jobs = None,
    keys: KeysDirectory = DEFAULT_KEYS,
) -> Answer:
    """Hash every stored event again, compare with tree and checkpoints, and check what the events mean.

    Exits with 6, naming the first bad position, if anything is not as it was or makes no sense. Changes nothing.
    """
    from governance.audit.verifying import Verification, Watch
    from governance.cli.audit_watching import report_view, resumed, watched, workers_for

    known = anchors(checkpoint or (), key_store(keys))
    after = next(iter(anchors([from_], key_store(keys))), None) if from_ else None
    with audited(session) as store, watched(session) as tell:
        every = [*known, *([after] if after else [])]
        verification = Verification(store.rows, store.tables, every, workers_for(session, store, jobs))
        progress, save = resumed(resume, lambda: verification.begin(after))
        report = verification.run(progress, Watch(tell, save), meaning=not hashes_only)
    if resume:
        Path(resume).unlink(missing_ok=True)
    code = Exit.UNPROVEN if report.problem_count else Exit.DONE
    return Answer(report.document(), lambda: report_view(report), code)


@command(app, "prove")
def prove(session: Session, position: At, checkpoint: One = None, keys: KeysDirectory = DEFAULT_KEYS) -> Answer:
    """Print the proof that the event at a position is in a signed tree: its row, the path of hashes, the checkpoint."""
    from base64 import b64encode

    from governance.audit.notes import Checkpoint, Note
    from governance.domain.errors import NotFoundError

    signed = _signed(session, checkpoint, keys)
    tree = Checkpoint.parse(Note.parse(signed).text)
    with audited(session) as store:
        leaf = store.tree.index_of(position)
        row = store.rows.page(position - 1, position, 1)
        if leaf >= tree.size or not row:
            msg = f"the checkpoint does not cover position {position}"
            raise NotFoundError(msg, position=position)
        path = [b64encode(each).decode() for each in store.tree.inclusion(leaf, tree.size)]
    names = ("position", "stream", "version", "topic", "state")
    event = {
        key: value.decode() if isinstance(value, bytes) else value for key, value in zip(names, row[0], strict=True)
    }
    data = {"event": event, "leaf": leaf, "proof": path, "checkpoint": signed}
    return Answer(data, lambda: _document(data))


@command(app, "receipt")
def receipt(
    session: Session,
    request: Request = None,
    check: Check = None,
    out: Out = None,
    checkpoint: One = None,
    keys: KeysDirectory = DEFAULT_KEYS,
) -> Answer:
    """Write one file that proves who approved what and that it ran; or check such a file, without a store.

    With keys in --keys the signature must be by one of them; without any, the key that the receipt names is shown.
    """
    if check is not None:
        return _checked(check, keys)
    if request is None:
        msg = "request_id: give the request, or --check FILE"
        raise InputError(msg, field="request_id")
    return _made(session, full_request_id(session, request), _signed(session, checkpoint, keys), keys, out)


def _made(session: Session, request_id: str, signed: str, keys: str, out: str | None) -> Answer:
    from governance.audit.keys import replace_file
    from governance.audit.receipts import receipt as made
    from governance.cli.text import document

    public = key_store(keys).keys()
    with audited(session) as store:
        data = made(store.rows, store.tree, request_id, signed, [each.verifier for each in public])
    if out is None:
        return Answer(data, lambda: _document(data))
    replace_file(Path(out), document(data) + "\n")
    return Answer({"file": out, "events": len(data["events"])}, lambda: _line(f"written to {out}"))


def _signed(session: Session, file: str | None, keys: str) -> str:
    from governance.audit.checkpoints import make_checkpoint

    if file is not None:
        anchors([file], key_store(keys))
        return read_text(Path(file))
    store_of_keys = key_store(keys)
    with audited(session) as store:
        return make_checkpoint(store.tree, store_of_keys, store_of_keys.signer(), now())


def _checked(file: str, keys: str) -> Answer:
    from governance.audit.receipts import check as checked
    from governance.cli.audit_watching import receipt_view
    from governance.event_store.sealing import concealed

    trusted = [each.verifier for each in _counting(file, keys)]
    found = concealed(checked(read_text(Path(file)), trusted))
    data = {
        "wrong": list(found.wrong),
        "signed_by": list(found.signed_by),
        "key_is_trusted": bool(trusted),
        "checkpoint": _checkpoint(found),
        "request": found.request.model_dump(mode="json") if found.request else None,
    }
    code = Exit.UNPROVEN if found.wrong else Exit.DONE
    return Answer(data, lambda: receipt_view(found, trusted=bool(trusted)), code)


def _counting(file: str, keys: str) -> list[Any]:
    """Return the trusted keys that count at the time that the receipt's checkpoint states."""
    import json

    from governance.audit.keys import stated_time
    from governance.audit.notes import Note

    known = key_store(keys).keys()
    try:
        at = stated_time(Note.parse(json.loads(read_text(Path(file)))["checkpoint"])) or now()
    except (ValueError, KeyError, TypeError, AttributeError):
        at = now()
    counting = [each for each in known if each.refusal(at) is None]
    if known and not counting:
        from governance.domain.errors import TamperedError

        msg = f"no key in {keys} counts for what was signed at {at}"
        raise TamperedError(msg)
    return counting


def _checkpoint(found: "Checked") -> dict[str, Any] | None:
    tree = found.checkpoint
    return {"origin": tree.origin, "size": tree.size, "root": tree.root.hex()} if tree else None


def _document(data: Any) -> Any:
    from governance.cli.text import document

    return _line(document(data))


def _line(text: str) -> Any:
    from rich.console import Group
    from rich.text import Text

    return Group(Text(text, no_wrap=True, overflow="ignore"))  # alone, it would be wrapped after all
