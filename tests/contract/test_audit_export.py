"""Exports, on both databases: whole, checked without a store, masked by rule, and found out when touched."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import governance.audit
from governance import InputError, NotFoundError
from governance.audit.export_rows import COLUMNS, FORMATS, exported, line, read
from governance.audit.exporting import Export, Order
from governance.audit.importing import ExportChecked, check_export
from governance.audit.keeping import KeptTree
from governance.audit.keys import KeyStore
from governance.audit.masking import Mask
from governance.event_store.audit_rows import Row
from tests.audit_stores import NOW, Signed, opened

SCHEMAS = Path(governance.audit.__file__).parent / "schemas"


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    directory = tmp_path_factory.mktemp("export")
    return Signed(f"sqlite:///{directory / 'store.db'}", directory, commands=(60, 10))


@pytest.fixture
def both(store_url: str, tmp_path: Path) -> Signed:
    return Signed(store_url, tmp_path, commands=(30, 10))


def export(signed: Signed, to: Path, **order: Any) -> dict[str, Any]:
    with opened(signed.url) as (rows, tables):
        exporting = Export(rows, KeptTree(rows, tables), to, Order(**order))
        return exporting.run(signed.keys.signer(), NOW, lambda done, of: None)


def check(signed: Signed, directory: Path) -> ExportChecked:
    return check_export(directory, signed.keys, NOW)


def stored(signed: Signed) -> list[Row]:
    with opened(signed.url) as (rows, _):
        return [row for page in rows.pages(0, 10**9) for row in page]


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_is_whole_and_can_be_checked(both: Signed, tmp_path: Path, form: str) -> None:
    manifest = export(both, tmp_path / "out", form=form, events_per_file=25)

    assert manifest["events"] == len(stored(both))
    assert len(manifest["files"]) == -(-manifest["events"] // 25)
    found = check(both, tmp_path / "out")
    assert (found.wrong, found.events, found.masked) == ((), manifest["events"], 0)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_back_the_very_row(signed: Signed, form: str) -> None:
    odd: Row = (7, b"governedState-=1+1", 1, b"+Odd", 'text\r\n"quoted", \'x\' ,"data":{} ø\u2028'.encode())
    odder: Row = (8, b"'s", 1, b"T", b'{"at":"2026-03-02T09:00:00Z","by":{"id":"@cmd"},"x":1.0e5}')
    for row in (*stored(signed), odd, odder):
        text = line(exported(row, Mask()), form)
        again = read(text, form)
        assert (again.row, again.holds) == (row, True)
        if form in {"jsonl", "cloudevents", "ocsf"}:
            assert text.count("\n") == 1


def test_no_cell_is_a_formula(signed: Signed, tmp_path: Path) -> None:
    for start in ("=", "+", "-", "@", "\t", "\r", "\n"):
        row: Row = (1, f"{start}HYPERLINK(1)".encode(), 1, f"{start}T".encode(), f"{start}1".encode())
        cells = next(csv.reader([line(exported(row, Mask()), "csv")], strict=False))
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in cells)


def test_a_csv_has_a_heading(signed: Signed, tmp_path: Path) -> None:
    export(signed, tmp_path / "out", form="csv")

    with (tmp_path / "out" / "events-000001.csv").open(newline="", encoding="utf-8") as file:
        records = list(csv.reader(file))
    assert tuple(records[0]) == COLUMNS
    assert len(records) == len(stored(signed)) + 1


@pytest.mark.parametrize(("form", "schema"), [("cloudevents", "cloudevents.json"), ("ocsf", "ocsf-3004.json")])
def test_events_are_as_the_schema_says(signed: Signed, form: str, schema: str) -> None:
    validator = jsonschema.Draft7Validator(json.loads((SCHEMAS / schema).read_text()))
    for row in stored(signed):
        for mask in (Mask(), Mask(["reason"])):
            validator.validate(json.loads(line(exported(row, mask), form)))


@pytest.mark.parametrize("form", FORMATS)
def test_masked_fields_do_not_leave(signed: Signed, tmp_path: Path, form: str) -> None:
    rules = Mask(["reason", "/data/mutation/payload/*", "/by/name"])

    manifest = export(signed, tmp_path / "out", form=form, mask=rules)

    text = (tmp_path / "out" / manifest["files"][0]["name"]).read_text()
    assert "GROSSHADERN" not in text
    assert manifest["mask"] == list(rules.rules)
    found = check(signed, tmp_path / "out")
    assert found.wrong == ()
    assert found.masked == manifest["masked_events"] > 0


def test_places_and_names_that_are_masked() -> None:
    state = b'{"a":{"b":[1,{"c":"x"}],"c":null},"c":"y","d":{"c":{"e":1}}}'

    assert Mask(["/a/b/*/c"]).applied(state) == b'{"a":{"b":[1,{"c":"[masked]"}],"c":null},"c":"y","d":{"c":{"e":1}}}'
    assert (
        Mask(["c"]).applied(state) == b'{"a":{"b":[1,{"c":"[masked]"}],"c":null},"c":"[masked]","d":{"c":"[masked]"}}'
    )
    assert Mask(["nothing"]).applied(state) is None
    assert Mask(["c"]).applied(b"no json") == b'"[masked]"'
    with pytest.raises(InputError):
        Mask([""])


def test_a_part_of_the_log_proves_itself(signed: Signed, tmp_path: Path) -> None:
    rows = stored(signed)
    manifest = export(signed, tmp_path / "out", after=rows[9][0], upto=rows[40][0])

    assert (manifest["first_position"], manifest["last_position"]) == (rows[10][0], rows[40][0])
    assert (manifest["events"], manifest["leaves_before"]) == (31, 10)
    assert check(signed, tmp_path / "out").wrong == ()


def test_an_export_that_was_broken_off_goes_on(signed: Signed, tmp_path: Path) -> None:
    with opened(signed.url) as (rows, tables):
        exporting = Export(rows, KeptTree(rows, tables), tmp_path / "out", Order(events_per_file=20))
        with pytest.raises(KeyboardInterrupt):
            exporting.run(signed.keys.signer(), NOW, interrupting(2))
    first = (tmp_path / "out" / "events-000001.jsonl").stat().st_mtime_ns

    with pytest.raises(InputError, match="another order"):
        export(signed, tmp_path / "out", events_per_file=21)
    export(signed, tmp_path / "out", events_per_file=20)

    assert (tmp_path / "out" / "events-000001.jsonl").stat().st_mtime_ns == first
    assert check(signed, tmp_path / "out").wrong == ()
    with pytest.raises(InputError, match="already"):
        export(signed, tmp_path / "out")


def interrupting(after: int) -> Any:
    left = [after]

    def tell(done: int, of: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    return tell


def test_there_must_be_something_to_export(signed: Signed, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        export(signed, tmp_path / "out", after=10**9)


@pytest.fixture(params=FORMATS)
def directory(request: pytest.FixtureRequest, signed: Signed, tmp_path: Path) -> Path:
    export(signed, tmp_path / "out", form=request.param, events_per_file=40)
    return tmp_path / "out"


def events_file(directory: Path) -> Path:
    return sorted(directory.glob("events-*"))[1]


def test_a_touched_export_is_found_out(signed: Signed, directory: Path) -> None:
    file = events_file(directory)
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    touched = {
        "bytes": whole.replace(b"grow", b"glow", 1) if b"grow" in whole else whole.replace(b"ada", b"eve", 1),
        "dropped": b"".join([*lines[:5], *lines[6:]]),
        "swapped": b"".join([*lines[:5], lines[6], lines[5], *lines[7:]]),
        "doubled": b"".join([*lines[:5], lines[4], *lines[5:]]),
        "nonsense": whole + b"{}\n",
        "cut": whole[:-10],
    }
    for name, content in touched.items():
        assert content != whole, name
        file.write_bytes(content)
        assert check(signed, directory).wrong, name
    file.unlink()
    assert check(signed, directory).wrong


def test_a_touched_manifest_is_found_out(signed: Signed, directory: Path, tmp_path: Path) -> None:
    manifest = directory / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"mask": []', '"mask": ["reason"]'))
    assert any("another manifest" in each for each in check(signed, directory).wrong)
    manifest.write_text(text)
    (directory / "manifest.note").write_text((directory / "manifest.note").read_text().replace("position", "Position"))
    assert check(signed, directory).wrong


def test_an_export_signed_by_a_stranger_counts_for_nothing(signed: Signed, directory: Path, tmp_path: Path) -> None:
    strangers = KeyStore(tmp_path / "strangers")
    strangers.generate("tests.example/log", NOW)

    assert any("no trusted key" in each for each in check_export(directory, strangers, NOW).wrong)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "governance-export-1"}'])
def test_what_is_no_export_is_refused(signed: Signed, directory: Path, text: str) -> None:
    (directory / "manifest.json").write_text(text)
    with pytest.raises(InputError):
        check(signed, directory)


def test_a_manifest_names_no_files_elsewhere(signed: Signed, directory: Path) -> None:
    manifest = directory / "manifest.json"
    shutil.copy(events_file(directory), directory.parent / "elsewhere")
    manifest.write_text(manifest.read_text().replace(events_file(directory).name, "../elsewhere"))
    with pytest.raises(InputError):
        check(signed, directory)
