"""Places in documents that people wrote, so that what is wrong can be found: file, line, key."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from governance.domain.errors import ConfigurationError

Place = tuple[str | int, ...]
"""Where in a document something stands: keys and indexes from the top."""


@dataclass(frozen=True)
class Document:
    """What a file says, as JSON values, and on which lines (from 1) its parts begin as far as that is known."""

    name: str
    data: Any
    lines: dict[Place, int] = field(default_factory=dict)

    def line(self, place: Sequence[str | int]) -> int | None:
        """Return the line of this place, or of the nearest one around it, None when no line is known."""
        return next((self.lines[at] for at in _outwards(place) if at in self.lines), None)

    def refuse(self, what: str, place: Sequence[str | int] = (), **ids: object) -> NoReturn:
        """Raise ConfigurationError that names the file and the line."""
        refuse(self.name, what, self.line(place), **ids)


def refuse(name: str, what: str, line: int | None = None, **ids: object) -> NoReturn:
    """Raise ConfigurationError that names the file and, if known, the line."""
    at = f", line {line}" if line is not None else ""
    msg = f"{name}{at}: {what}"
    raise ConfigurationError(msg, file=name, line=line, **ids)


def _outwards(place: Sequence[str | int]) -> Iterator[Place]:
    return (tuple(place[:end]) for end in range(len(place), -1, -1))
