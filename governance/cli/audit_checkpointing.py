"""`gov audit checkpoint`: the tree signed and given away, once or on an interval."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from governance.cli.audit import app
from governance.cli.audit_opening import DEFAULT_KEYS, KeysDirectory, Name, audited, key_store, now
from governance.cli.commands import command
from governance.cli.exits import Exit
from governance.cli.session import Answer, Session
from governance.domain.errors import StoreUnavailableError

if TYPE_CHECKING:
    from governance.cli.audit_watching import Tell

To = Annotated[
    list[str] | None, typer.Option("--to", metavar="PATH", help="A file or directory to write it to. Repeatable.")
]
Witness = Annotated[
    list[str] | None,
    typer.Option(
        "--witness", metavar="COMMAND|URL", help="A command gets it on standard input, a URL by POST. Repeatable."
    ),
]
Every = Annotated[
    float | None,
    typer.Option("--every", metavar="SECONDS", min=0.1, help="Go on, and make one whenever there is something new."),
]
Times = Annotated[int | None, typer.Option("--times", metavar="N", min=1, help="With --every: look so often, and end.")]
Http = Annotated[bool, typer.Option("--allow-http", help="Let a URL be plain http.", show_default=False)]
Private = Annotated[
    bool, typer.Option("--allow-private", help="Let a URL lead into a private network.", show_default=False)
]
Made = dict[str, Any]


@command(app, "checkpoint")
def checkpoint(
    session: Session,
    to: To = None,
    witness: Witness = None,
    every: Every = None,
    times: Times = None,
    allow_http: Http = False,
    allow_private: Private = False,
    keys: KeysDirectory = DEFAULT_KEYS,
    name: Name = None,
) -> Answer:
    """Bring the tree up to date and sign it; give it to files and witnesses outside of the database.

    Nothing is signed that contradicts what the same keys directory has signed before; that exits with 6. URLs have to
    be https and public unless allowed otherwise, and redirects are not followed. With --every it goes on until it is
    stopped, and tells of every checkpoint in one line.
    """
    from governance.cli.audit_watching import watched
    from governance.cli.audit_witnesses import Witnesses

    witnesses = Witnesses(tuple(to or ()), tuple(witness or ()), allow_http, allow_private)

    def once(before: str | None) -> Made | None:
        with watched(session) as watch:
            signed = _signed(session, keys, name, before, watch)
        return None if signed is None else {"checkpoint": signed, "given": witnesses.give(signed)}

    if every is None:
        made = once(None) or {}
        return Answer(made, lambda: _text(made["checkpoint"], made["given"]), _code(made["given"]))
    return _again_and_again(session, every, times, once)


def _signed(session: Session, keys: str, name: str | None, before: str | None, watch: "Tell") -> str | None:
    """Return a new checkpoint, None when there is nothing that the one before does not cover."""
    from governance.audit.checkpoints import make_checkpoint
    from governance.audit.notes import Checkpoint, Note

    store_of_keys = key_store(keys)
    signer = store_of_keys.signer(name)
    with audited(session) as store:
        head = store.tree.catch_up(lambda position, upto: watch("rows", position, upto))
        if before is not None and Checkpoint.parse(Note.parse(before).text).size == head.size:
            return None
        return make_checkpoint(store.tree, store_of_keys, signer, now())


def _again_and_again(
    session: Session, every: float, times: int | None, once: Callable[[str | None], Made | None]
) -> Answer:
    made, failures, looked = 0, 0, 0
    last: str | None = None
    with _stopped_by_signals() as stop:
        begun = time.monotonic()
        while not stop.is_set():
            looked += 1
            try:
                found = once(last)
            except StoreUnavailableError as error:
                failures += 1
                _tell(session, {"problem": error.message})
            else:
                if found is not None:
                    made, last = made + 1, found["checkpoint"]
                    failures += any(each["problem"] for each in found["given"])
                    _tell(session, found)
            if times is not None and looked >= times:
                break
            following = begun + every * (1 + (time.monotonic() - begun) // every)
            stop.wait(following - time.monotonic())
    data = {"checkpoints": made, "failures": failures}
    told = f"{made:,} checkpoints made, {failures:,} times something failed"
    return Answer(data, lambda: _line(told), Exit.ERROR if failures else Exit.DONE)


def _tell(session: Session, found: Made) -> None:
    """Say in one line what was made: as JSON for programs, or for people."""
    from governance.cli.text import visible

    if session.as_json:
        import json

        text = json.dumps(found, ensure_ascii=False)
    elif "problem" in found:
        text = f"{now():%Y-%m-%d %H:%M:%SZ} no checkpoint: {visible(found['problem'])}"
    else:
        origin, size, root, *_ = found["checkpoint"].split("\n")
        given = "".join(f"; {visible(each['to'])}: {visible(each['problem'] or 'has it')}" for each in found["given"])
        text = f"{now():%Y-%m-%d %H:%M:%SZ} {visible(origin)} {size} {root}{given}"
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextmanager
def _stopped_by_signals() -> Iterator[Event]:
    stop = Event()
    names = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(each, lambda *_: stop.set()) for each in names]
    try:
        yield stop
    finally:
        for each, handler in zip(names, before, strict=True):
            signal.signal(each, handler)


def _text(signed: str, given: list[dict[str, Any]]) -> Any:
    from governance.cli.text import visible

    told = [f"{each['to']}: {each['problem'] or 'has it'}" for each in given]
    return _line("\n".join([*signed.rstrip("\n").split("\n"), *(visible(each) for each in told)]))


def _code(given: list[dict[str, Any]]) -> Exit:
    return Exit.ERROR if any(each["problem"] for each in given) else Exit.DONE


def _line(text: str) -> Any:
    from rich.console import Group
    from rich.text import Text

    return Group(Text(text, no_wrap=True, overflow="ignore"))  # alone, it would be wrapped after all
