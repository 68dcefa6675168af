"""The runner of documentation examples runs what it should and notices when the documentation is wrong."""

import sys
from pathlib import Path

import pytest

from tests.doc_examples import Examples, blocks


@pytest.fixture
def stub_gov(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `gov` be a program that prints its arguments and ends with the code behind `--exit`."""
    stub = """\
import sys
print("gov", *sys.argv[1:])
sys.exit(int(sys.argv[sys.argv.index("--exit") + 1]) if "--exit" in sys.argv else 0)
"""
    monkeypatch.setattr("tests.doc_examples.GOV", stub)


def run(text: str, directory: Path) -> list[str]:
    """Run the examples of a file with this text; returns the kinds of its blocks."""
    path = directory / "example.md"
    path.write_text(text, encoding="utf-8")
    examples = Examples(directory)
    for block in blocks(path):
        examples.run(block)
    return [block.kind for block in blocks(path)]


def test_python_blocks_share_their_names(tmp_path: Path) -> None:
    text = "```python\nx = 20\n```\nand\n```python\nprint(x + 1)\n```\n```text output\n21\n```\n"

    assert run(text, tmp_path) == ["python", "python", "output"]


def test_classes_of_an_example_find_each_other_by_name(tmp_path: Path) -> None:
    run(
        """\
```python
from __future__ import annotations
from pydantic import BaseModel
class Tree(BaseModel):
    trees: tuple[Leaf, ...]
class Leaf(BaseModel):
    name: str
print(Tree(trees=(Leaf(name="a"),)).trees[0].name)
```
```text output
a
```
""",
        tmp_path,
    )

    assert "example" not in sys.modules


def test_other_output_than_shown_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"example\.md:5(.|\n)*--- shown\n22\n--- printed\n21"):
        run("```python\nprint(21)\n```\n```text output\n22\n```\n", tmp_path)


def test_an_error_names_its_line_in_the_document(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as error:
        run("title\n\n```python\nx = 1\nx / 0\n```\n", tmp_path)

    assert (Path(error.traceback[-1].path).name, error.traceback[-1].lineno + 1) == ("example.md", 5)


@pytest.mark.usefixtures("stub_gov")
def test_commands_are_run_and_compared(tmp_path: Path) -> None:
    text = """\
```console
$ gov list --json
gov list ...
$ id=$(gov show 'a b' | tr ' ' -)
$ gov approve "$id" \\
    --as ada
gov approve gov-show-a-b --as ada
```
```sh
$ gov why "$id"
gov why gov-show-a-b
```
"""

    assert run(text, tmp_path) == ["shell", "shell"]


@pytest.mark.usefixtures("stub_gov")
@pytest.mark.parametrize(
    "block",
    [
        "$ gov list\ngov show\n",
        "$ gov list\ngov list\nmore\n",
        "$ gov list --exit 4\n",
        "$ gov list && nothing-there\n",
    ],
)
def test_a_command_that_does_something_else_is_noticed(block: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"example\.md:2: gov list"):
        run(f"```console\n{block}```\n", tmp_path)


@pytest.mark.usefixtures("stub_gov")
def test_a_command_may_fail_if_its_output_is_shown(tmp_path: Path) -> None:
    run("```console\n$ gov approve --exit 4\ngov approve --exit 4\n```\n", tmp_path)


@pytest.mark.usefixtures("stub_gov")
def test_a_saved_file_is_there_for_what_follows(tmp_path: Path) -> None:
    saved = "```python file=roles.py\nx = 'ü'\n```\n"
    shown = "```console\n$ gov list; cat roles.py\ngov list\nx = 'ü'\n```\n"

    assert run(saved + shown, tmp_path) == ["file", "shell"]


def test_what_is_not_an_example_is_left_alone(tmp_path: Path) -> None:
    text = (
        "```python no-run\n1 / 0\n```\n```sh\n$ exit 1\n```\n```sh no-run\n$ gov fail\n```\n```\n$ gov\n```\n"
        "````markdown\n```python\n1 / 0\n```\n````\n"
    )

    assert run(text, tmp_path) == ["no-run", "other", "no-run", "other", "other"]


def test_a_block_in_a_list_loses_its_indent(tmp_path: Path) -> None:
    assert run("1. first\n\n   ```python\n   if True:\n       x = 1\n   ```\n", tmp_path) == ["python"]
