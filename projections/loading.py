"""Views of the user's own, named as `module:list`, beside those of the product."""

import re
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from governance.domain.errors import ConfigurationError
from projections.view import View
from projections.views import VIEWS

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
"""Names of views and tables; short enough for PostgreSQL, which cuts what is longer than 63 bytes."""


def all_views(own: str | None) -> tuple[type[View[Any]], ...]:
    """Return the views of the product and the user's own; ConfigurationError for what is not a list of views."""
    return VIEWS if own is None else (*VIEWS, *_load(own))


def by_name(views: Iterable[type[View[Any]]]) -> dict[str, type[View[Any]]]:
    """Return the views by their names; ConfigurationError for what cannot stand beside the others."""
    found: dict[str, type[View[Any]]] = {}
    tables: set[str] = set()
    for view in views:
        for name in (view.name, *(table.name for table in view.tables)):
            if not _NAME.fullmatch(name):
                msg = f"{name!r} cannot be the name of a view or table: up to 40 of a-z, 0-9 and _, a letter first"
                raise ConfigurationError(msg)
        names = {table.name for table in view.tables}
        if view.name in found or names & tables:
            msg = f"there are two views {view.name!r}, or two of its tables have one name: {', '.join(sorted(names))}"
            raise ConfigurationError(msg, view=view.name)
        found[view.name] = view
        tables |= names
    return found


def _load(own: str) -> tuple[type[View[Any]], ...]:
    module, _, attribute = own.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(import_module(module), attribute)
        listed = tuple(found)
    except Exception as error:
        msg = f"--views: {own!r} is not a list of views as module:list ({type(error).__name__}: {error})"
        raise ConfigurationError(msg) from None
    for view in listed:
        if not (isinstance(view, type) and issubclass(view, View)):
            msg = f"--views: {view!r} in {own} is not a subclass of projections.View"
            raise ConfigurationError(msg)
    return listed
