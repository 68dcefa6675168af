"""All of `gov`: importing this registers every command, in the order in which the help shows them."""

from governance.cli import submit  # isort: skip
from governance.cli import decide, powers, execute  # isort: skip
from governance.cli import read, listing  # isort: skip
from governance.cli import database, demo  # isort: skip
from governance.cli.groups import app

__all__ = ["app", "database", "decide", "demo", "execute", "listing", "powers", "read", "submit"]
