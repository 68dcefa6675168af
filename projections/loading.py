"""Views of the user's own, named as `module:list`, beside those of the product."""

from importlib import import_module
from typing import Any

from governance.domain.errors import ConfigurationError
from projections.view import View
from projections.views import VIEWS


def all_views(own: str | None) -> tuple[type[View[Any]], ...]:
    """Return the views of the product and the user's own; ConfigurationError for what is not a list of views."""
    return VIEWS if own is None else (*VIEWS, *_load(own))


def _load(own: str) -> tuple[type[View[Any]], ...]:
    module, _, attribute = own.partition(":")
    try:
        found = getattr(import_module(module), attribute)
        listed = tuple(found)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        msg = f"--views: {own!r} is not a list of views as module:list ({error})"
        raise ConfigurationError(msg) from None
    for view in listed:
        if not (isinstance(view, type) and issubclass(view, View)):
            msg = f"--views: {view!r} in {own} is not a subclass of projections.View"
            raise ConfigurationError(msg)
    return listed
