"""`gov audit export` and `import`: events for others to read, and checked without a store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli.audit import app
from governance.cli.audit_opening import DEFAULT_KEYS, KeysDirectory, Name, audited, key_store, now
from governance.cli.commands import command
from governance.cli.exits import Exit
from governance.cli.session import Answer, Session
from governance.domain.errors import InputError

if TYPE_CHECKING:
    from governance.audit.importing import ExportChecked

Directory = Annotated[str, typer.Argument(metavar="DIRECTORY", help="Where the files go, or are.")]
Form = Annotated[str, typer.Option("--format", metavar="FORMAT", help="jsonl, csv, cloudevents or ocsf.")]
After = Annotated[int, typer.Option("--after", metavar="N", min=0, help="Only events behind this position.")]
Upto = Annotated[int | None, typer.Option("--upto", metavar="N", min=1, help="Only events up to this position.")]
Split = Annotated[int, typer.Option("--split", metavar="N", min=1, help="So many events per file.")]
Mask = Annotated[
    list[str] | None,
    typer.Option("--mask", metavar="RULE", help="A field's name, or a place: /data/mutation/payload/*. Repeatable."),
]
VerifyOnly = Annotated[bool, typer.Option("--verify-only", help="Check it; nothing is stored.", show_default=False)]


@command(app, "export")
def export(
    session: Session,
    directory: Directory,
    form: Form = "jsonl",
    after: After = 0,
    upto: Upto = None,
    split: Split = 100_000,
    mask: Mask = None,
    keys: KeysDirectory = DEFAULT_KEYS,
    name: Name = None,
) -> Answer:
    """Write events to files, with a signed manifest of what they are; run again, it goes on where it was broken off.

    What a --mask rule names leaves as "[masked]"; the hash of the whole event still proves its place.
    """
    from governance.audit.export_rows import FORMATS
    from governance.audit.exporting import Export, Order
    from governance.audit.masking import Mask as Rules
    from governance.cli.audit_watching import watched

    if form not in FORMATS:
        msg = f"format: {form!r} is not one of {', '.join(FORMATS)}"
        raise InputError(msg, field="format")
    order = Order(form, after, upto, split, Rules(mask or ()))
    signer = key_store(keys).signer(name)
    with audited(session) as store, watched(session) as watch:
        exporting = Export(store.rows, store.tree, Path(directory), order)
        manifest = exporting.run(signer, now(), lambda done, of: watch("events", done, of))
    told = f"{manifest['events']:,} events in {len(manifest['files'])} files in {directory}"
    return Answer(manifest, lambda: _line(told))


@command(app, "import")
def import_(
    session: Session, directory: Directory, verify_only: VerifyOnly = False, keys: KeysDirectory = DEFAULT_KEYS
) -> Answer:
    """Check an export, without a store: files, events, tree and signature; exits with 6 if any is not as it was."""
    from dataclasses import asdict

    from governance.audit.importing import check_export

    if not verify_only:
        msg = "verify_only: events are never stored from files; give --verify-only to check them"
        raise InputError(msg, field="verify_only")
    found = check_export(Path(directory), key_store(keys), now())
    return Answer(asdict(found), lambda: _view(found), Exit.UNPROVEN if found.wrong else Exit.DONE)


def _view(found: "ExportChecked") -> Any:
    from rich.console import Group

    from governance.cli.text import visible

    masked = f", {found.masked:,} of them masked: their content cannot be checked" if found.masked else ""
    head = f"{found.events:,} events checked{masked}"
    if not found.wrong:
        return Group(_line(head), _line("the export is what was signed"))
    return Group(_line(head), *(_line(f"wrong: {visible(each)}") for each in found.wrong))


def _line(text: str) -> Any:
    from rich.text import Text

    return Text(text)
