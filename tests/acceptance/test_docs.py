"""What the documentation shows is what happens."""

import sys
from pathlib import Path

import pytest

from tests import PROJECT
from tests.doc_examples import Block, Examples, blocks

README = PROJECT / "README.md"
MOST_BLOCKS_NOT_RUN = 5


def documents() -> list[Path]:
    return [README, *sorted((PROJECT / "docs").rglob("*.md"))]


def blocks_of_kind(kind: str) -> list[Block]:
    return [block for path in documents() if path.exists() for block in blocks(path) if block.kind == kind]


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(PROJECT)))
def test_examples_do_what_they_show(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    examples = Examples(tmp_path)
    try:
        for block in blocks(path):
            examples.run(block)
    finally:
        for name in set(sys.modules) - known:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
                del sys.modules[name]


def test_the_readme_has_an_example_that_is_run() -> None:
    assert [block for block in blocks_of_kind("python") if block.path == README]


def test_few_examples_are_not_run() -> None:
    not_run = [block.place for block in blocks_of_kind("no-run")]

    assert len(not_run) <= MOST_BLOCKS_NOT_RUN, not_run
