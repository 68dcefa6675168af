"""The peer of the views: the library's own ProjectionRunner, with a view of 13 columns."""

from collections.abc import Iterator, Mapping
from itertools import count
from threading import Event
from time import perf_counter
from typing import Any, ClassVar

from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL, Identifier

from scripts.benchmarks.limits import EVENT
from scripts.benchmarks.measure import Rate
from scripts.benchmarks.peer import Plain, PlainApplication

AT_ONCE = 10
EVENTS_EACH = 8
COLUMNS = tuple(f"column_{number}" for number in range(10))


class PlainView(PostgresTrackingRecorder):
    """A table with 13 columns and one row per aggregate, changed together with the tracking record."""

    def __init__(self, datastore: PostgresDatastore, **more: Any) -> None:
        super().__init__(datastore, **more)
        table = Identifier(datastore.schema), Identifier(f"{self.tracking_table_name}_rows")
        columns = SQL(", ").join(SQL("{} text").format(Identifier(name)) for name in COLUMNS)
        self.sql_create_statements.append(
            SQL("CREATE TABLE IF NOT EXISTS {}.{} (id uuid PRIMARY KEY, version bigint, note text, {})").format(
                *table, columns
            )
        )
        marks = SQL(", ").join(SQL("%s") for _ in COLUMNS)
        self._upsert = SQL(
            "INSERT INTO {}.{} VALUES (%s, %s, %s, {}) ON CONFLICT (id)"
            " DO UPDATE SET version = excluded.version, note = excluded.note"
        ).format(*table, marks)

    def put(self, row: tuple[Any, ...], tracking: Tracking) -> None:
        """Store a row and how far the view is, in one transaction."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self._upsert, row, prepare=True)


class PlainProjection(Projection[PlainView]):
    """Takes every event into its row."""

    name = "plain"
    times: ClassVar[list[float]]

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Store the row as the event leaves it."""
        known = (str(domain_event.timestamp), *["known"] * (len(COLUMNS) - 1))
        self.view.put(
            (domain_event.originator_id, domain_event.originator_version, domain_event.text, *known), tracking
        )
        type(self).times.append(perf_counter())


_TURNS: Iterator[int] = count()


def fill(environment: Mapping[str, str], events: int) -> None:
    """Store so many events of the library's own aggregates."""
    with PlainApplication(environment) as application:
        for _ in range(0, events, AT_ONCE * EVENTS_EACH):
            some = [Plain(EVENT) for _ in range(AT_ONCE)]
            for plain in some:
                for _ in range(EVENTS_EACH - 1):
                    plain.note(EVENT)
            application.save(*some)


def projected(environment: Mapping[str, str], seconds: float) -> Rate:
    """Return how many events a second the library's runner takes into a new view, watched for so many seconds."""
    name = f"plainview{next(_TURNS)}"
    projection: type[PlainProjection] = type("Counted", (PlainProjection,), {"name": name, "times": []})
    with ProjectionRunner(
        application_class=PlainApplication, projection_class=projection, view_class=PlainView, env=environment
    ):
        Event().wait(seconds)
        times = list(projection.times)
    return Rate((len(times) - 1) / (times[-1] - times[0]))
