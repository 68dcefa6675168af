"""What every command stands on: which store, which application, and how to answer."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from governance.cli.exits import Exit
from governance.cli.opening import opening
from governance.domain.errors import ConfigurationError, InputError, NotFoundError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from governance.app import App
    from governance.application import Governance
    from governance.event_store.log import EventLog
    from governance.settings import Settings

_SQLITE = "sqlite://"
_SCHEMES = ("sqlite", "postgresql", "postgres")
_HEX_DIGITS = 32
_SHORTEST_ENDING = 4


@dataclass(frozen=True)
class Answer:
    """What a command found out or did: for programs, for people, and as exit code."""

    data: Any
    view: "Callable[[], RenderableType]"
    code: Exit = Exit.DONE


@dataclass(frozen=True)
class Session:
    """One call of `gov`."""

    url: str
    app: str | None
    as_json: bool

    @contextmanager
    def governed(self, *, create: bool = False) -> "Iterator[Governance]":
        """Give the store opened by the user's application; ConfigurationError when none was named."""
        from governance.cli.loading import load_app

        app = load_app(self.app)
        self.check_url(create=create)
        with app.open(self.url) as governance:
            yield opening(governance, governance.log.vault)

    @contextmanager
    def store(self) -> "Iterator[Governance]":
        """Give the store; without an application for whatever can be read without one."""
        if self.app:
            with self.governed() as governance:
                yield governance
            return
        from governance.application import Governance

        self.check_url()
        with Governance.open(self.url, mutations=()) as governance:
            yield opening(governance, governance.log.vault)

    def application(self) -> "App":
        """Return the user's application, one without anything when none was named."""
        from governance.app import App
        from governance.cli.loading import load_app

        return load_app(self.app) if self.app else App(mutations=())

    @contextmanager
    def examined(self, app: "App") -> "Iterator[Governance]":
        """Give the store to be looked at only: as it is, and even if its server could lose events."""
        from governance.settings import Settings

        self.check_url()
        with app.over(self._log_as_it_is(app.settings or Settings())) as governance:
            yield opening(governance, governance.log.vault)

    def _log_as_it_is(self, chosen: "Settings") -> "EventLog":
        from governance.event_store.connect import open_recorder
        from governance.event_store.log import EventLog, translated_errors
        from governance.event_store.personal_keys import PersonalKeys
        from governance.event_store.sealing import Vault
        from governance.event_store.settings import RecorderSettings

        settings = RecorderSettings(
            budget_seconds=chosen.budget_seconds,
            database_schema=chosen.database_schema,
            create_schema=False,
            require_durable=False,
        )
        keys = PersonalKeys(self.url, chosen.database_schema, chosen.personal_key_file)
        with translated_errors():
            return EventLog(open_recorder(self.url, settings=settings), Vault(keys, chosen.personal_texts))

    def check_url(self, *, create: bool = False) -> None:
        """Refuse what is not the URL of a store, and a file that does not exist unless it is to be made."""
        scheme = self.url.partition("://")[0] if "://" in self.url else ""
        if scheme not in _SCHEMES:
            msg = f"--url: not the URL of a store; write {_SQLITE}/FILE or postgresql://USER@HOST/DATABASE"
            raise InputError(msg, field="url")
        if scheme == "sqlite":
            self._check_file(self._file(), create=create)

    def _file(self) -> Path:
        path = self.url.removeprefix(_SQLITE)
        if path in {"", "/", "/:memory:"}:
            msg = f"--url: a store in memory would end with this command; name a file: {_SQLITE}/FILE"
            raise InputError(msg, field="url")
        if not path.startswith("/"):
            msg = f"--url: a file's URL has three slashes, or four for an absolute path: {_SQLITE}/{path}"
            raise InputError(msg, field="url")
        return Path(path[1:])

    def _check_file(self, file: Path, *, create: bool) -> None:
        if file.is_dir():
            msg = f"--url: {file} is a directory, not the file of a store"
            raise InputError(msg, field="url")
        if not file.exists() and not create:
            msg = f"there is no store {file}: make it with gov db init, or say with --url (GOVERNANCE_URL) where it is"
            raise NotFoundError(msg, url=self.shown_url)
        if not file.parent.is_dir():
            msg = f"--url: there is no directory {file.parent}"
            raise ConfigurationError(msg, url=self.shown_url)

    @property
    def file(self) -> Path | None:
        """Return the file of an SQLite store, None for other stores."""
        return self._file() if self.url.startswith(_SQLITE) else None

    @property
    def shown_url(self) -> str:
        """Return the URL without a password."""
        without = re.sub(r"(//[^/?#:@]*):[^/?#]*@", r"\1:***@", self.url)
        return re.sub(r"([?&](?:ssl)?password=)[^&#]*", r"\1***", without)


def request_id(governance: "Governance", given: str) -> str:
    """Return the full id of a request given by id or by its ending; NotFoundError, or InputError if several end so."""
    return _full_id(governance, given, "request", "Created")


def batch_id(governance: "Governance", given: str) -> str:
    """Return the full id of a batch given by id or by its ending; NotFoundError, or InputError if several end so."""
    return _full_id(governance, given, "batch", "BatchCreated")


def _full_id(governance: "Governance", given: str, kind: str, topic: str) -> str:
    text = given.strip().lstrip("…").lower()
    if len(text.replace("-", "")) >= _HEX_DIGITS or not text or set(text) - set("0123456789abcdef-"):
        return given.strip()
    if len(text) < _SHORTEST_ENDING:
        msg = f"{kind}_id: {given!r} is too short: give at least {_SHORTEST_ENDING} characters of the id's end"
        raise InputError(msg, field=f"{kind}_id")
    found = sorted(each.partition("-")[2] for each in governance.log.streams_ending(text, topic))
    if not found:
        msg = f"no {kind} has an id that ends with {text}"
        raise NotFoundError(msg, **{kind: text})
    if len(found) > 1:
        several = "batches" if kind == "batch" else f"{kind}s"
        msg = f"{kind}_id: {len(found)} {several} end with {text}: {', '.join(found[:5])}; give more of the id"
        raise InputError(msg, field=f"{kind}_id")
    return found[0]
