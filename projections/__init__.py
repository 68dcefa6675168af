"""Query views of governed mutations: projections of the event log that can be thrown away and rebuilt at any time."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from projections.errors import (
        LogMismatchError,
        NewerViewError,
        ProjectionError,
        UnknownViewError,
        ViewBusyError,
        ViewNotBuiltError,
        ViewOutdatedError,
        WaitTimeoutError,
    )
    from projections.events import REQUEST, STATE, AnyEvent
    from projections.filters import Fields, Filter, Labels, Plain, Words, field, read_filter
    from projections.labels import pair
    from projections.paging import Page
    from projections.queries import Views
    from projections.reading import Count
    from projections.rows import RequestRow
    from projections.runner import Projections
    from projections.status import Status
    from projections.tables import KEY, POSITION, Json, Key, Moment, ViewTable, stored_moment
    from projections.view import Rows, View
    from projections.views import VIEWS

_WHERE = {
    "errors": (
        "LogMismatchError", "NewerViewError", "ProjectionError", "UnknownViewError", "ViewBusyError",
        "ViewNotBuiltError", "ViewOutdatedError", "WaitTimeoutError",
    ),
    "events": ("REQUEST", "STATE", "AnyEvent"),
    "filters": ("Fields", "Filter", "Labels", "Plain", "Words", "field", "read_filter"),
    "labels": ("pair",),
    "paging": ("Page",),
    "queries": ("Views",),
    "reading": ("Count",),
    "rows": ("RequestRow",),
    "runner": ("Projections",),
    "status": ("Status",),
    "tables": ("KEY", "POSITION", "Json", "Key", "Moment", "ViewTable", "stored_moment"),
    "view": ("Rows", "View"),
    "views": ("VIEWS",),
}  # fmt: skip
_MODULES = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "KEY",
    "POSITION",
    "REQUEST",
    "STATE",
    "VIEWS",
    "AnyEvent",
    "Count",
    "Fields",
    "Filter",
    "Json",
    "Key",
    "Labels",
    "LogMismatchError",
    "Moment",
    "NewerViewError",
    "Page",
    "Plain",
    "ProjectionError",
    "Projections",
    "RequestRow",
    "Rows",
    "Status",
    "UnknownViewError",
    "View",
    "ViewBusyError",
    "ViewNotBuiltError",
    "ViewOutdatedError",
    "ViewTable",
    "Views",
    "WaitTimeoutError",
    "Words",
    "field",
    "pair",
    "read_filter",
    "stored_moment",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use, so that importing the package is quick."""
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
