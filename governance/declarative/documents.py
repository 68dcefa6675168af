"""Reading YAML, TOML and JSON that people wrote: as plain JSON values, no key twice, with the lines they stand on."""

import re
import tomllib
from datetime import date, datetime, time
from importlib import import_module
from pathlib import Path
from typing import Any

from governance.declarative.places import Document, Place, refuse
from governance.domain.errors import InputError
from governance.domain.json_limits import check_json, parse_json

MAX_BYTES = 512 * 1024
"""The longest document that is read."""
SUFFIXES = (".yaml", ".yml", ".toml", ".json")
NO_YAML = "reading YAML needs PyYAML: install mutation-governance[policies], or write TOML"
_TOML_TABLE = re.compile(r"\s*\[\[\s*([A-Za-z0-9_-]+)\s*\]\]\s*(#.*)?")


def read_document(path: Path) -> Document:
    """Return what a file says; ConfigurationError, naming file and line, for what cannot be read."""
    name, suffix = str(path), path.suffix.lower()
    if suffix not in SUFFIXES:
        refuse(name, f"its name ends in none of {', '.join(SUFFIXES)}")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        refuse(name, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    if len(raw) > MAX_BYTES:
        refuse(name, f"is longer than {MAX_BYTES:,} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse(name, f"is not UTF-8 text (byte {error.start:,})")
    return parse_document(text, name, suffix)


def parse_document(text: str, name: str, suffix: str) -> Document:
    """Return what a text says that is written as the suffix tells; raises what `read_document` raises."""
    try:
        data, lines = _parse(text, name, suffix)
        plain = _plain(data)
        check_json(plain, field="document", max_bytes=MAX_BYTES)
    except RecursionError:
        refuse(name, "is nested too deeply")
    except InputError as error:
        refuse(name, error.message)
    return Document(name=name, data=plain, lines=lines)


def _parse(text: str, name: str, suffix: str) -> tuple[Any, dict[Place, int]]:
    match suffix:
        case ".toml":
            return _toml(text, name), dict(_toml_lines(text))
        case ".json":
            return parse_json(text, field="document"), {}
        case _:
            return _yaml(text, name)


def _toml(text: str, name: str) -> Any:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        line = re.search(r"at line (\d+)", str(error))
        refuse(name, f"is not TOML: {error}", int(line[1]) if line else None)


def _toml_lines(text: str) -> list[tuple[Place, int]]:
    """Return the lines of the headers of tables in lists, such as `[[policies]]`; the parser keeps none."""
    found: list[tuple[Place, int]] = []
    count: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        header = _TOML_TABLE.fullmatch(line)
        if header is not None:
            count[header[1]] = count.get(header[1], -1) + 1
            found.append(((header[1], count[header[1]]), number))
    return found


def _yaml(text: str, name: str) -> tuple[Any, dict[Place, int]]:
    try:
        reader = import_module("governance.declarative.yaml_documents")
    except ModuleNotFoundError as error:
        if error.name != "yaml":
            raise
        refuse(name, NO_YAML)
    found: tuple[Any, dict[Place, int]] = reader.read_yaml(text, name)
    return found


def _plain(value: Any) -> Any:
    """Return the value with times as ISO 8601 text, as JSON has none."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime | date | time) else value
