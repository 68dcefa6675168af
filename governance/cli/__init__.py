"""The command `gov`: asks, decides, runs and looks, for people and for scripts."""

import sys
from collections.abc import Sequence

from governance.cli.exits import Exit


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; no error that can be foreseen shows a traceback."""
    from governance.cli.problems import tell

    given = list(sys.argv[1:] if argv is None else argv)
    _write_what_there_is()
    try:
        return _run(given)
    except BrokenPipeError:
        _stop_writing()
        return Exit.DONE
    except (Exception, KeyboardInterrupt) as error:
        return tell(error, as_json="--json" in given)


def _run(given: list[str]) -> int:
    import typer

    from governance.cli.app import app

    command = typer.main.get_command(app)
    code = command.main(given, prog_name="gov", standalone_mode=False)
    sys.stdout.flush()
    if code == Exit.INTERRUPTED:
        raise KeyboardInterrupt
    return int(code or Exit.DONE)


def _write_what_there_is() -> None:
    """Let no character that the terminal cannot show end the program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _stop_writing() -> None:
    """Send what is still in the buffers to nowhere: the reader is gone, and that is no error."""
    import os

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
