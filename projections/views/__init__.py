"""The list of views; a new one is one module and one line here."""

from typing import Any

from projections.view import View
from projections.views.activity import Activity
from projections.views.agenda import Agenda
from projections.views.approvals import Approvals
from projections.views.changes import Changes
from projections.views.decisions import Decisions
from projections.views.executions import Executions
from projections.views.requests import Requests
from projections.views.states import States

VIEWS: tuple[type[View[Any]], ...] = (
    Requests,
    Approvals,
    Decisions,
    States,
    Changes,
    Executions,
    Agenda,
    Activity,
)
"""All views of the product, in the order in which they are listed."""
