"""Reading YAML, TOML and JSON that people wrote: as plain JSON values, no key twice, and with the lines they stand on."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from governance.domain.errors import ConfigurationError, InputError
from governance.domain.json_limits import check_json, parse_json

if TYPE_CHECKING:
    from yaml.nodes import Node

MAX_BYTES = 1024 * 1024
"""The longest document that is read."""
SUFFIXES = (".yaml", ".yml", ".toml", ".json")
NO_YAML = "reading YAML needs PyYAML: install mutation-governance[policies], or write TOML"

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


def read_document(path: Path) -> Document:
    """Return what a file says; ConfigurationError, naming file and line, for what cannot be read."""
    if path.suffix.lower() not in SUFFIXES:
        refuse(str(path), f"its name ends in none of {', '.join(SUFFIXES)}")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        refuse(str(path), f"cannot be read: {getattr(error, 'strerror', None) or error}")
    if len(raw) > MAX_BYTES:
        refuse(str(path), f"is longer than {MAX_BYTES:,} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse(str(path), f"is not UTF-8 text (byte {error.start:,})")
    return parse_document(text, str(path), path.suffix.lower())


def parse_document(text: str, name: str, suffix: str) -> Document:
    """Return what a text says that is written as the suffix tells; raises what `read_document` raises."""
    try:
        data, lines = _parse(text, name, suffix)
        plain = _plain(data, 0)
        check_json(plain, field="document", max_bytes=MAX_BYTES)
    except RecursionError:
        refuse(name, "is nested too deeply")
    except InputError as error:
        refuse(name, error.message)
    return Document(name=name, data=plain, lines=lines)


def _parse(text: str, name: str, suffix: str) -> tuple[Any, dict[Place, int]]:
    match suffix:
        case ".toml":
            return _toml(text, name)
        case ".json":
            return parse_json(text, field="document"), {}
        case _:
            return _yaml(text, name)


def _toml(text: str, name: str) -> tuple[Any, dict[Place, int]]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        refuse(name, f"is not TOML: {error}", int(line[1]) if line else None)
    tables: dict[str, int] = {}
    lines: dict[Place, int] = {}
    for number, line_text in enumerate(text.splitlines(), start=1):
        header = re.fullmatch(r"\s*\[\[\s*([A-Za-z0-9_-]+)\s*\]\]\s*(#.*)?", line_text)
        if header is not None:
            index = tables.get(header[1], -1) + 1
            tables[header[1]] = index
            lines[header[1], index] = number
    return data, lines


def _yaml(text: str, name: str) -> tuple[Any, dict[Place, int]]:
    try:
        import yaml
    except ImportError:
        refuse(name, NO_YAML)
    loader = yaml.SafeLoader(text)
    try:
        node = _YamlTree(name).compose(text)
        lines = dict(_yaml_lines(node, ())) if node is not None else {}
        return (None if node is None else loader.construct_document(node)), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        refuse(name, f"is not YAML: {error.problem or error.context}", mark.line + 1 if mark else None)
    except (yaml.YAMLError, ValueError, OverflowError, LookupError) as error:
        refuse(name, f"is not YAML: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
    finally:
        loader.dispose()


class _YamlTree:
    """Composes a YAML text without running constructors; refuses aliases, merge keys and keys that appear twice."""

    def __init__(self, name: str) -> None:
        self._name = name

    def compose(self, text: str) -> "Node | None":
        """Return the root node of the only document."""
        import yaml

        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                refuse(self._name, "aliases (*name) are not read: write it out", event.start_mark.line + 1)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            self._check(node)
        return node

    def _check(self, node: "Node") -> None:
        import yaml

        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._check(item)
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                self._check_key(key, seen)
                self._check(value)

    def _check_key(self, key: "Node", seen: set[str]) -> None:
        line = key.start_mark.line + 1
        if key.tag != "tag:yaml.org,2002:str":
            refuse(self._name, f"the key {str(key.value)[:80]!r} is not text: put it in quotes", line)
        if key.value in seen:
            refuse(self._name, f"the key {key.value[:80]!r} appears twice", line)
        seen.add(key.value)


def _yaml_lines(node: "Node", place: Place) -> Iterator[tuple[Place, int]]:
    yield place, node.start_mark.line + 1
    if node.id == "sequence":
        for index, item in enumerate(node.value):
            yield from _yaml_lines(item, (*place, index))
    elif node.id == "mapping":
        for key, value in node.value:
            yield (*place, key.value), key.start_mark.line + 1
            for at, line in _yaml_lines(value, (*place, key.value)):
                if at != (*place, key.value):
                    yield at, line


def _plain(value: Any, depth: int) -> Any:
    """Return the value with times as ISO 8601 text, as JSON has none; RecursionError when it holds itself."""
    if isinstance(value, dict):
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    return value.isoformat() if isinstance(value, datetime | date | time) else value


def _outwards(place: Sequence[str | int]) -> Iterator[Place]:
    return (tuple(place[:end]) for end in range(len(place), -1, -1))
