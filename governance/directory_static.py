"""A directory that is written down: as a mapping, or as a TOML, YAML or JSON file that may change while in use."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Self

from pydantic import Field, ValidationError

from governance.declarative.documents import read_document
from governance.directory import Kind
from governance.domain.errors import ConfigurationError, DirectoryUnavailableError
from governance.domain.json_limits import input_error
from governance.domain.values import Given, Id

Stamp = tuple[int, int, int]


class Membership(Given):
    """Who is in which role and which group, by ids."""

    roles: dict[Id, tuple[Id, ...]] = Field(default_factory=dict)
    groups: dict[Id, tuple[Id, ...]] = Field(default_factory=dict)


class StaticDirectory:
    """Knows what it was told; `from_file` looks at the file again whenever that has changed."""

    def __init__(
        self,
        *,
        roles: Mapping[str, Iterable[str]] | None = None,
        groups: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        given = {"roles": _lists(roles or {}, "roles"), "groups": _lists(groups or {}, "groups")}
        try:
            self._membership = Membership.model_validate(given)
        except ValidationError as error:
            raise ConfigurationError(input_error(error, "directory").message) from None
        self._path: Path | None = None
        self._stamp: Stamp | None = None
        self._lock = Lock()

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Return the directory of a file with the tables `roles` and `groups`, each from a name to a list of ids.

        Raises ConfigurationError, naming file and line, when it cannot be read now. When it cannot be read later,
        `members` raises DirectoryUnavailableError until it can: what it said before is not believed any more.
        """
        directory = cls()
        directory._path = Path(path)
        try:
            directory._current()
        except DirectoryUnavailableError as error:
            raise ConfigurationError(error.message, file=path) from None
        return directory

    async def members(self, kind: Kind, name: str) -> frozenset[str]:
        """Return who is in the role or group, nobody for one that is not written down."""
        membership = self._current()
        return frozenset((membership.roles if kind == "role" else membership.groups).get(name, ()))

    def _current(self) -> Membership:
        if self._path is None:
            return self._membership
        with self._lock:
            try:
                stamp = _stamp(self._path)
                if stamp != self._stamp:
                    self._membership, self._stamp = _read(self._path), stamp
            except (OSError, ConfigurationError) as error:
                self._stamp = None
                what = error.strerror if isinstance(error, OSError) else error
                msg = f"the directory {self._path} cannot be read: {what}"
                raise DirectoryUnavailableError(msg, file=self._path) from error
            return self._membership


def _read(path: Path) -> Membership:
    document = read_document(path)
    try:
        return Membership.model_validate({key: _tables(value) for key, value in dict(document.data or {}).items()})
    except ValidationError as error:
        place = error.errors(include_url=False)[0]["loc"]
        document.refuse(input_error(error).message, place)
    except (TypeError, ValueError):
        document.refuse("must hold the tables roles and groups")


def _tables(given: object) -> object:
    if not isinstance(given, Mapping):
        return given
    return {name: tuple(people) if isinstance(people, list) else people for name, people in given.items()}


def _lists(given: Mapping[str, Iterable[str]], table: str) -> dict[str, tuple[str, ...]]:
    for name, people in given.items():
        if isinstance(people, str):
            msg = f"directory: {table}.{name} must be a list of ids, not one text"
            raise ConfigurationError(msg)
    return {name: tuple(people) for name, people in given.items()}


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
