"""`gov keys`: the keys that sign checkpoints, and those whose signatures are trusted."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli.audit_opening import DEFAULT_KEYS, KeysDirectory, Name, key_store, now
from governance.cli.commands import command
from governance.cli.session import Answer, Session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.audit.keys import TrustedKey

app = typer.Typer(
    help="The keys of checkpoints: made, replaced, revoked, trusted.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
)

NewName = Annotated[
    str, typer.Argument(metavar="NAME", help="The log's name, as in example.com/governance: no blanks, no plus signs.")
]
KeyId = Annotated[str, typer.Argument(metavar="KEY", help="The key's id, as gov keys list shows it.")]
PublicKey = Annotated[str, typer.Argument(metavar="KEY", help="A public key: NAME+ID+BASE64.")]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="Only what it says to have signed then or later. (default: all of it)"),
]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]


@command(app, "generate")
def generate(session: Session, name: NewName, keys: KeysDirectory = DEFAULT_KEYS) -> Answer:
    """Make a key pair for a log; the private part is in a file that only its owner can read."""
    return _answer(key_store(keys).generate(name, now()), f"made, in {keys}")


@command(app, "list")
def list_keys(session: Session, keys: KeysDirectory = DEFAULT_KEYS) -> Answer:
    """Show the public keys, and when each is to be trusted."""
    found = key_store(keys).keys()
    return Answer({"keys": [_document(each) for each in found]}, lambda: _table(found))


@command(app, "rotate")
def rotate(session: Session, keys: KeysDirectory = DEFAULT_KEYS, name: Name = None) -> Answer:
    """Make a new key in place of the one in use; what the old one has signed goes on to count."""
    return _answer(key_store(keys).rotate(name, now()), "made, in place of the one before")


@command(app, "revoke")
def revoke(
    session: Session,
    key: KeyId,
    reason: Why = "no reason given",
    from_: From = None,
    keys: KeysDirectory = DEFAULT_KEYS,
) -> Answer:
    """Let nothing count that a key has signed, and remove its private part."""
    from governance.cli.inputs import moment

    revoked = key_store(keys).revoke(key, now(), since=moment(from_, field="from"), reason=reason)
    return _answer(revoked, "revoked")


@command(app, "trust")
def trust(session: Session, key: PublicKey, keys: KeysDirectory = DEFAULT_KEYS) -> Answer:
    """Trust the public key of a log that is signed elsewhere, whenever it was signed."""
    return _answer(key_store(keys).trust(key), "trusted")


def _document(key: "TrustedKey") -> dict[str, Any]:
    from dataclasses import asdict

    return {"id": key.id, "name": key.verifier.name, **asdict(key)}


def _answer(key: "TrustedKey", what: str) -> Answer:
    from rich.text import Text

    return Answer(_document(key), lambda: Text(f"key {key.id} {what}\n{key.key}"))


def _table(found: "tuple[TrustedKey, ...]") -> "RenderableType":
    from rich.text import Text

    from governance.cli.render import grid
    from governance.cli.text import visible

    if not found:
        return Text("No keys: gov keys generate NAME makes one.")
    rows = [
        tuple(Text(visible(each)) for each in (key.id, key.verifier.name, key.since, _until(key), key.key))
        for key in found
    ]
    return grid(rows, titles=("id", "name", "since", "until", "public key"))


def _until(key: "TrustedKey") -> str:
    if key.revoked_at:
        return f"revoked ({key.revoked_because})"
    return key.until or "now"
