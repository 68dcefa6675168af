"""`gov audit archive`: what was closed long ago, copied out with its proofs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from governance.cli.audit import app
from governance.cli.audit_opening import DEFAULT_KEYS, KeysDirectory, Name, audited, key_store, now
from governance.cli.commands import command
from governance.cli.exits import Exit
from governance.cli.session import Answer, Session
from governance.domain.errors import InputError

Directory = Annotated[str, typer.Argument(metavar="DIRECTORY", help="Where the archive goes, or is.")]
Before = Annotated[
    str | None, typer.Option("--before", metavar="TIME", help="Of requests whose last event is older. ISO 8601.")
]
Check = Annotated[bool, typer.Option("--check", help="Check an archive; needs no store.", show_default=False)]


@command(app, "archive")
def archive(
    session: Session,
    directory: Directory,
    before: Before = None,
    check: Check = False,
    keys: KeysDirectory = DEFAULT_KEYS,
    name: Name = None,
) -> Answer:
    """Write a receipt for every request that was closed before a time; or check what was written, without a store.

    Nothing is removed from the log: an archive is a copy that proves itself.
    """
    from governance.cli.inputs import moment

    if check:
        return _checked(Path(directory), keys)
    until = moment(before, field="before")
    if until is None:
        msg = "before: say of which requests: --before TIME, or --check to check an archive"
        raise InputError(msg, field="before")

    from governance.audit.archiving import archive as archived
    from governance.audit.checkpoints import make_checkpoint

    store_of_keys = key_store(keys)
    signer = store_of_keys.signer(name)
    with audited(session) as store:
        signed = make_checkpoint(store.tree, store_of_keys, signer, now())
        public = [each.verifier for each in store_of_keys.keys()]  # noqa: SIM118 - not a dict
        count = archived(store.rows, store.tree, Path(directory), until, signed, public)
    data = {"directory": directory, "requests": count, "checkpoint": signed}
    return Answer(data, lambda: _line(f"{count:,} closed requests, with their proofs, are in {directory}"))


def _checked(directory: Path, keys: str) -> Answer:
    from governance.audit.archiving import check_archive

    found = check_archive(directory, key_store(keys), now())
    size = found.checkpoint.size if found.checkpoint else None
    data = {"requests": found.receipts, "tree_size": size, "wrong": list(found.wrong)}
    return Answer(data, lambda: _view(data), Exit.UNPROVEN if found.wrong else Exit.DONE)


def _view(data: dict[str, Any]) -> Any:
    from rich.console import Group

    from governance.cli.text import visible

    head = f"{data['requests']:,} receipts checked"
    if not data["wrong"]:
        return Group(_line(head), _line("every one of them is what was signed"))
    return Group(_line(head), *(_line(f"wrong: {visible(each)}") for each in data["wrong"]))


def _line(text: str) -> Any:
    from rich.text import Text

    return Text(text)
