"""The list of views; a new one is one module and one line here."""

from typing import Any

from projections.view import View
from projections.views.requests import Requests

VIEWS: tuple[type[View[Any]], ...] = (Requests,)
"""All views of the product, in the order in which they are listed."""
