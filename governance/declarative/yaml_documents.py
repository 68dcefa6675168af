"""Reading YAML: plain values only, no key twice, no aliases, and the lines on which everything stands."""

from collections.abc import Iterator
from typing import Any

import yaml
from yaml.events import CollectionEndEvent, CollectionStartEvent, Event
from yaml.nodes import MappingNode, Node, SequenceNode

from governance.declarative.places import Place, refuse
from governance.domain.json_limits import MAX_DEPTH

_TEXT = "tag:yaml.org,2002:str"


def read_yaml(text: str, name: str) -> tuple[Any, dict[Place, int]]:
    """Return what the only document in the text says, and the lines; ConfigurationError for what is not read."""
    try:
        _refuse_aliases_and_depths(text, name)
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None, {}
            _refuse_doubled_keys(node, name)
            return loader.construct_document(node), dict(_lines(node, ()))
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        refuse(name, f"is not YAML: {error.problem or error.context}", mark.line + 1 if mark else None)
    except (yaml.YAMLError, ValueError, OverflowError, LookupError) as error:
        refuse(name, f"is not YAML: {(str(error) or type(error).__name__).splitlines()[0]}")


def _refuse_aliases_and_depths(text: str, name: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > MAX_DEPTH:
            refuse(name, f"is nested more than {MAX_DEPTH} levels deep", _line(event))
        if isinstance(event, yaml.AliasEvent):
            refuse(name, "aliases (*name) are not read: write it out", _line(event))


def _refuse_doubled_keys(node: Node, name: str) -> None:
    if isinstance(node, SequenceNode):
        for item in node.value:
            _refuse_doubled_keys(item, name)
    elif isinstance(node, MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = _line(key)
            if key.tag != _TEXT:
                refuse(name, f"the key {str(key.value)[:80]!r} is not text: put it in quotes", line)
            if key.value in seen:
                refuse(name, f"the key {key.value[:80]!r} appears twice", line)
            seen.add(key.value)
            _refuse_doubled_keys(value, name)


def _lines(node: Node, place: Place) -> Iterator[tuple[Place, int]]:
    """Yield every place and its line; where there is a key, the line of the key."""
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield (*place, index), _line(item)
            yield from _lines(item, (*place, index))
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            yield (*place, key.value), _line(key)
            yield from _lines(value, (*place, key.value))


def _line(part: Node | Event) -> int:
    return part.start_mark.line + 1 if part.start_mark is not None else 1
