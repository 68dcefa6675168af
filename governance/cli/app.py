"""All of `gov`: importing this registers every command, in the order in which the help shows them."""

from governance.cli import submit  # isort: skip
from governance.cli import decide, drift, waiting, powers, execute  # isort: skip
from governance.cli import read, listing  # isort: skip
from governance.cli import audit, audit_checkpointing, audit_proving, audit_exporting  # isort: skip
from governance.cli import audit_archiving, audit_erasing, keys  # isort: skip
from governance.cli import database, doctor, demo  # isort: skip
from governance.cli import batches, effects, policy, worker, reconcile  # isort: skip
from governance.cli import due, quota, window  # isort: skip
from governance.cli.groups import ASK, AUDIT, LOOK, RUN, STORE, app
from projections import cli as views
from projections import plots

app.add_typer(batches.app, name="batch", rich_help_panel=ASK)
app.add_typer(policy.app, name="policy", rich_help_panel=ASK)
app.add_typer(effects.app, name="effects", rich_help_panel=RUN)
app.add_typer(window.app, name="window", rich_help_panel=RUN)
app.add_typer(quota.app, name="quota", rich_help_panel=RUN)
app.add_typer(plots.app, name="plot", rich_help_panel=LOOK)
app.add_typer(views.app, name="projections", rich_help_panel=STORE)
app.add_typer(audit.app, name="audit", rich_help_panel=AUDIT)
app.add_typer(keys.app, name="keys", rich_help_panel=AUDIT)

__all__ = [
    "app",
    "audit",
    "audit_archiving",
    "audit_checkpointing",
    "audit_erasing",
    "audit_exporting",
    "audit_proving",
    "batches",
    "database",
    "decide",
    "demo",
    "doctor",
    "drift",
    "due",
    "effects",
    "execute",
    "keys",
    "listing",
    "policy",
    "powers",
    "quota",
    "read",
    "reconcile",
    "submit",
    "waiting",
    "window",
    "worker",
]
