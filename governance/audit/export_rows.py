"""How one event looks in an export, in each format, and how its row is read back from there to be hashed again."""

import csv
import io
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from governance.audit.masking import Mask
from governance.audit.proofs import Leaf, event_hash
from governance.event_store.audit_rows import Row

FORMATS: Final = ("jsonl", "csv", "cloudevents", "ocsf")
COLUMNS: Final = ("position", "stream", "version", "topic", "at", "actor", "masked", "leaf", "state")
OCSF_VERSION: Final = "1.3.0"
_DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
_DATA: Final = ',"data":'
_MOST_CELL: Final = 64 * 1024 * 1024
_CREATES, _UPDATES, _OTHER = 1, 3, 99
_ACTIVITIES: Final = {"Created": _CREATES, "StateChanged": _UPDATES, "Executed": _UPDATES}


@dataclass(frozen=True)
class Exported:
    """An event as it leaves: its row, masked or not, and the hash of the row as it is stored."""

    row: Row
    leaf: bytes
    masked: bool


@dataclass(frozen=True)
class Read:
    """An event as it was read from an export: `row` is None when its content was masked."""

    position: int
    leaf: bytes
    row: Row | None

    @property
    def holds(self) -> bool:
        """Return whether the content is what the hash says; masked content cannot be checked."""
        return self.row is None or event_hash(Leaf(*self.row)) == self.leaf


def exported(row: Row, mask: Mask) -> Exported:
    """Return the event as it leaves."""
    masked = mask.applied(row[4])
    leaf = event_hash(Leaf(*row))
    return Exported(row if masked is None else (*row[:4], masked), leaf, masked is not None)


def line(event: Exported, form: str) -> str:
    """Return the event as one line (in CSV one record), with its end."""
    return _LINES[form](event)


def read(text: str, form: str) -> Read:
    """Return what `line` has written; ValueError for what it has not."""
    try:
        return _READERS[form](text)
    except (KeyError, TypeError, IndexError, AttributeError, StopIteration, csv.Error) as error:
        msg = f"not an event in the format {form}: {error!r}"
        raise ValueError(msg) from None


def _jsonl(event: Exported) -> str:
    position, stream, version, topic, state = event.row
    document = {
        "position": position,
        "stream": _text(stream),
        "version": version,
        "topic": _text(topic),
        "masked": event.masked,
        "leaf": b64encode(event.leaf).decode(),
        "state": _text(state),
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def _from_jsonl(text: str) -> Read:
    found = json.loads(text)
    columns = (found["position"], found["stream"], found["version"], found["topic"], found["state"])
    return _read(columns, found["leaf"], masked=found["masked"])


def _csv(event: Exported) -> str:
    position, stream, version, topic, state = event.row
    envelope = _envelope(state)
    actor = _actor(envelope).get("id", "")
    cells = (
        str(position), _text(stream), str(version), _text(topic), str(envelope.get("at", "")), str(actor),
        "yes" if event.masked else "no", b64encode(event.leaf).decode(), _text(state),
    )  # fmt: skip
    return record(cells)


def record(cells: tuple[str, ...]) -> str:
    """Return cells as one CSV record (RFC 4180); none of them is taken for a formula by a spreadsheet."""
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow([_harmless(each) for each in cells])
    return written.getvalue()


def _from_csv(text: str) -> Read:
    csv.field_size_limit(max(_MOST_CELL, csv.field_size_limit()))
    cells = [_as_it_was(each) for each in next(csv.reader(io.StringIO(text, newline=""), strict=True))]
    named = dict(zip(COLUMNS, cells, strict=True))
    columns = (int(named["position"]), named["stream"], int(named["version"]), named["topic"], named["state"])
    return _read(columns, named["leaf"], masked=named["masked"] == "yes")


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_DANGEROUS) else cell


def _as_it_was(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell


def _cloudevents(event: Exported) -> str:
    position, stream, version, topic, state = event.row
    envelope = _envelope(state)
    attributes = {
        "specversion": "1.0",
        "id": str(position),
        "source": "/governance/events",
        "type": f"governance.{_text(topic)}",
        "subject": _text(stream),
        **({"time": envelope["at"]} if isinstance(envelope.get("at"), str) else {}),
        "datacontenttype": "application/json",
        "streamversion": str(version),
        "masked": event.masked,
        "leafhash": b64encode(event.leaf).decode(),
    }
    text = _text(state)
    data = text if envelope and "\n" not in text and "\r" not in text else json.dumps(text, ensure_ascii=False)
    return f"{json.dumps(attributes, ensure_ascii=False, separators=(',', ':'))[:-1]}{_DATA}{data}}}\n"


def _from_cloudevents(text: str) -> Read:
    # No text inside the attributes can hold this mark: its quotes would be escaped there.
    head, mark, data = text.rstrip("\n").partition(_DATA)
    found = json.loads(head + "}")
    if not mark or not data.endswith("}"):
        msg = "a CloudEvent without data at its end"
        raise ValueError(msg)
    data = data[:-1]
    state = json.loads(data) if data.startswith('"') else data
    topic = found["type"].removeprefix("governance.")
    columns = (int(found["id"]), found["subject"], int(found["streamversion"]), topic, state)
    return _read(columns, found["leafhash"], masked=found["masked"])


def _ocsf(event: Exported) -> str:
    """Return the event as Entity Management (class 3004) of OCSF; the whole of it is in `raw_data`."""
    position, stream, version, topic, state = event.row
    envelope, text = _envelope(state), _text(topic)
    activity = _ACTIVITIES.get(text, _OTHER)
    by = _actor(envelope)
    document = {
        "category_uid": 3,
        "class_uid": 3004,
        "type_uid": 300400 + activity,
        "activity_id": activity,
        "activity_name": text,
        "severity_id": 1,
        "time": _milliseconds(envelope.get("at")),
        "actor": {"user": {"uid": by.get("id", "unknown"), "name": by.get("name") or by.get("id", "unknown")}},
        "entity": {"uid": _text(stream), "type": _text(stream).partition("-")[0], "version": str(version)},
        "metadata": _metadata(position, text, envelope),
        "raw_data": _text(state),
        "unmapped": {"leaf": b64encode(event.leaf).decode(), "masked": event.masked},
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def _metadata(position: int, topic: str, envelope: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": OCSF_VERSION,
        "uid": str(position),
        "event_code": topic,
        "original_time": str(envelope.get("at", "")),
        **({"correlation_uid": envelope["correlation"]} if envelope.get("correlation") else {}),
        "product": {"name": "governance", "vendor_name": "mutation-governance"},
    }


def _from_ocsf(text: str) -> Read:
    found = json.loads(text)
    metadata, entity, unmapped = found["metadata"], found["entity"], found["unmapped"]
    columns = (int(metadata["uid"]), entity["uid"], int(entity["version"]), metadata["event_code"], found["raw_data"])
    return _read(columns, unmapped["leaf"], masked=unmapped["masked"])


def _read(columns: tuple[int, str, int, str, str], leaf: str, *, masked: bool) -> Read:
    position, stream, version, topic, state = columns
    row = None if masked else (position, stream.encode(), version, topic.encode(), state.encode())
    return Read(position, b64decode(leaf, validate=True), row)


def _text(stored: bytes) -> str:
    return stored.decode()


def _envelope(state: bytes) -> dict[str, Any]:
    try:
        found = json.loads(state)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _actor(envelope: dict[str, Any]) -> dict[str, Any]:
    by = envelope.get("by")
    return by if isinstance(by, dict) else {}


def _milliseconds(at: object) -> int:
    try:
        return int(datetime.fromisoformat(str(at)).timestamp() * 1000)
    except ValueError:
        return 0


_LINES: Final[dict[str, Callable[[Exported], str]]] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "cloudevents": _cloudevents,
    "ocsf": _ocsf,
}
_READERS: Final[dict[str, Callable[[str], Read]]] = {
    "jsonl": _from_jsonl,
    "csv": _from_csv,
    "cloudevents": _from_cloudevents,
    "ocsf": _from_ocsf,
}
