"""Views that follow the log go on by themselves after the database was away, or could not be reached."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from governance import StoreUnavailableError
from projections import Projections, Views
from projections.database import Database
from tests.histories import Play

RESUMED_WITHIN_SECONDS = 10
"""At worst: a read of the log waits out its budget of 5 s on a dead connection, the views' connection and that of the
locks are found dead after 2 s each, and there is a pause of 1 s. Usually it takes two or three."""


class Proxy:
    """Forwards TCP connections, and swallows everything without a word while it is told to."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self.port = 0
        self._open: list[socket.socket] = []
        self.swallowing = threading.Event()
        self.listen()

    def listen(self) -> None:
        """Take connections, after `close` at the same port as before."""
        listening = socket.create_server(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self._open.append(listening)
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def close(self) -> None:
        """End every connection and take no more, as a server that is stopped."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                server = socket.create_connection(self._to)
                self._open += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        lost = False
        with suppress(OSError):
            while data := source.recv(65536):
                lost = lost or self.swallowing.is_set()
                if not lost:
                    target.sendall(data)
            if not lost:
                target.shutdown(socket.SHUT_WR)


@contextmanager
def following(url: str) -> Iterator[None]:
    """Have all views follow the log."""
    stop = threading.Event()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            with Projections.open(url) as projections:
                projections.run(stop)
        except BaseException as error:
            errors.append(error)

    running = threading.Thread(target=run)
    running.start()
    try:
        yield
    finally:
        stop.set()
        running.join(timeout=60)
        assert not errors, errors
    assert not running.is_alive()


@contextmanager
def behind_a_proxy(url: str) -> Iterator[tuple[Proxy, str]]:
    """Give a proxy before the server of a store, and the URL that goes through it."""
    parts = urlsplit(url)
    with closing(Proxy(str(parts.hostname), parts.port or 5432)) as proxy:
        account = parts.netloc.rpartition("@")[0]
        yield proxy, urlunsplit(parts._replace(netloc=f"{account}@127.0.0.1:{proxy.port}"))


def test_a_network_that_swallows_everything_is_noticed(postgres_url: str) -> None:
    with behind_a_proxy(postgres_url) as (proxy, through), Play(postgres_url, 4) as play:
        play.commands(20)
        with following(through), Views.open(postgres_url) as views:
            views.wait_for(play.governance.log.head(), timeout=60)
            proxy.swallowing.set()
            play.commands(10)
            time.sleep(4)
            assert views.position() < play.governance.log.head()
            proxy.swallowing.clear()
            views.wait_for(play.governance.log.head(), timeout=RESUMED_WITHIN_SECONDS)


def test_a_server_that_is_stopped_and_started_is_found_again(postgres_url: str) -> None:
    with behind_a_proxy(postgres_url) as (proxy, through), Play(postgres_url, 4) as play:
        play.commands(20)
        with following(through), Views.open(postgres_url) as views:
            views.wait_for(play.governance.log.head(), timeout=60)
            proxy.close()
            play.commands(10)
            time.sleep(2)
            assert views.position() < play.governance.log.head()
            proxy.listen()
            views.wait_for(play.governance.log.head(), timeout=RESUMED_WITHIN_SECONDS)


def test_a_statement_that_takes_long_is_waited_for(postgres_url: str) -> None:
    with Play(postgres_url, 4) as play:
        play.commands(1)
        with closing(Database(postgres_url)) as database, database.read() as connection:
            began = time.monotonic()
            connection.exec_driver_sql("SELECT pg_sleep(5)")
            assert time.monotonic() - began >= 4.9


def lose(database: Database, url: str, *, goes_on: bool) -> None:
    """Have the server end a transaction's connection in the middle, and go on as if nothing had happened or not."""
    with database.write() as connection:
        process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        connection.exec_driver_sql("CREATE TABLE public.lost (number int)")
        with psycopg.connect(url, autocommit=True) as operator:
            operator.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
        with suppress(*((DBAPIError,) if goes_on else ())):
            connection.exec_driver_sql("SELECT 1")
        connection.exec_driver_sql("SELECT 2")


@pytest.mark.parametrize(("goes_on", "told"), [(False, "terminating connection"), (True, "invalid transaction")])
def test_transaction_that_loses_its_connection_has_not_happened(postgres_url: str, goes_on: bool, told: str) -> None:
    with closing(Database(postgres_url)) as database:
        with pytest.raises(StoreUnavailableError, match=told):
            lose(database, postgres_url, goes_on=goes_on)
        with database.write() as connection:
            assert connection.exec_driver_sql("SELECT to_regclass('public.lost')").scalar() is None
