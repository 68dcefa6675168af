"""What is wrong with a policy file is found when it is loaded, and told with file, line and policy."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance import ConfigurationError, Policy
from governance.declarative.documents import parse_document
from governance.declarative.loading import built_policies, load_policies, validated
from governance.declarative.schema import PolicyFile, json_schema
from governance.domain.policies import PolicySet
from tests import PROJECT
from tests.cases import MUTATIONS

SCHEMA = PROJECT / "docs" / "reference" / "policies.schema.json"
GOOD = """\
version: 1
requirements:
  leads: {role: lead, quorum: 2, expires_after: 6h}
policies:
  - name: careful
    when: state.admins.size() > 3
    then: {require: leads}
"""
SAME_IN_TOML = """\
version = 1
[requirements.leads]
role = "lead"
quorum = 2
expires_after = "6h"
[[policies]]
name = "careful"
when = "state.admins.size() > 3"
then = { require = "leads" }
"""


def loaded(text: str, suffix: str = ".yaml") -> tuple[Policy, ...]:
    document = parse_document(text, f"policies{suffix}", suffix)
    return built_policies(document, validated(document, PolicyFile), None)


def refused(text: str, suffix: str = ".yaml") -> ConfigurationError:
    with pytest.raises(ConfigurationError) as error:
        loaded(text, suffix)
    assert error.value.message.startswith(f"policies{suffix}")
    return error.value


def one(when: str = "true", then: str = "allow", more: str = "") -> str:
    return f"version: 1\npolicies:\n  - name: one\n    when: {json.dumps(when)}\n    then: {then}\n{more}"


def test_the_same_policies_are_the_same_in_every_notation(tmp_path: Path) -> None:
    data = yaml.safe_load(GOOD)
    texts = {"p.yaml": GOOD, "p.yml": GOOD, "p.toml": SAME_IN_TOML, "p.json": json.dumps(data)}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)

    digests = {PolicySet(load_policies(tmp_path / name)).digest for name in texts}

    assert len(digests) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("> 3", "> 4"),
        ("quorum: 2", "quorum: 3"),
        ("6h", "7h"),
        ("require: leads", "require: leads, reason: why"),
        ("name: careful", "name: careless"),
        ("name: careful", "name: careful\n    otherwise: {deny: no!}"),
        ("name: careful", "name: careful\n    priority: 1"),
        ("name: careful", "name: careful\n    version: 2"),
        ("name: careful", "name: careful\n    timeout: 1s"),
        ("name: careful", "name: careful\n    applies_to: grant_admin"),
        ("name: careful", "name: careful\n    description: Be careful."),
    ],
)
def test_whatever_a_policy_says_is_in_the_digest_of_the_set(old: str, new: str) -> None:
    assert PolicySet(loaded(GOOD)).digest != PolicySet(loaded(GOOD.replace(old, new))).digest


def test_how_it_is_written_is_not_in_the_digest() -> None:
    spaced = GOOD.replace("version: 1", "# the first version\nversion:   1")

    assert PolicySet(loaded(GOOD)).digest == PolicySet(loaded(spaced)).digest


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (one("1 +"), 4, "policy one: when: it is not CEL"),
        (one("actor.rolez == []"), 4, "did you mean roles?"),
        (one("actr.id == 'x'"), 4, "did you mean actor?"),
        (one("intent.blast_radius.scop == 'x'"), 4, "did you mean scope?"),
        (one("state.a.exists(x, y > 1)"), 4, "no variable 'y'"),
        (one("eval('1')"), 4, "no function 'eval'"),
        (one("state.size().frobnicate()"), 4, "no function 'frobnicate'"),
        (one("Foo{a: 1}"), 4, "makes a message"),
        (one("state.a.matches(mutation.pattern)"), 4, "pattern in quotes"),
        (one("state.a.matches('(')"), 4, "not a pattern"),
        (one("[1].all(x, [1].all(y, [1].all(z, true)))"), 4, "lists within lists"),
        (one(" && ".join(["[1].all(x, true)"] * 9)), 4, "more than 8 times"),
        (one("(" * 17 + "true" + ")" * 17), 4, "nested more than 16"),
        (one("true && " * 250 + "true"), 4, "at most 2000 characters"),
        (one("1+" * 400 + "1 > 0"), 4, "more than 400 words"),
        (one("true ? true : " * 17 + "true"), 4, "more than 16 conditions"),
        (one("true)"), 4, "closes nothing"),
        (one("# no comment in CEL"), 4, "not part of an expression"),
        (one(then="{require: leads}"), 5, "no requirement 'leads'"),
        (one(then="{require: []}"), 5, "policies.0.then.require"),
        (one(then="{amend: {payload: {user: nobody}}}"), 5, "then.amend.payload.user: there is no variable"),
        (one(then="{amend: {type: other, payload: {user: '1'}}}"), 5, "mutations="),
        (one(then="{deny: ' '}"), 5, "must not be blank"),
        (one(then="{deny: no}"), 5, "put text in quotes"),
        (one(then="{forbid: it}"), 5, "must be allow, or say what"),
        (one(then="{allow: x, deny: y}"), 5, "policies.0.then.deny: is not known here"),
        (one(more="    nonsense: 1\n"), 6, "policies.0.nonsense: is not known here"),
        (one(more="    name: two\n"), 6, "appears twice"),
        (one(more="    timeout: 5\n"), 6, "a time such as 30m"),
        (one(more="  - name: one\n    then: allow\n"), 6, "two policies are named 'one'"),
        (one(then="&it allow", more="    otherwise: *it\n"), 6, "aliases"),
        (one(then="!!python/object/apply:os.system [ls]"), 5, "is not YAML"),
        (one(more="    when: [\n"), None, "policies.yaml"),
        ("version: 2\npolicies: []\n", 1, "version"),
        ("version: 1\npolicies: []\n", 2, "policies"),
        ("version: 1\nrequirements: {a: {quorum: 1}}\npolicies: [{name: p, then: allow}]", 2, "at least one approver"),
        ("version: 1\nrequirements: {a: {actor: x, quorum: 2}}\npolicies: [{name: p, then: allow}]", 2, "quorum of 2"),
        ("- 1", None, "should be an object"),
        ("", None, "should be an object"),
        ("a: \x07", None, "is not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int | None, told: str) -> None:
    error = refused(text)

    assert told in error.message
    assert line is None or error.ids["line"] == str(line)


def test_the_line_within_a_long_expression_is_told() -> None:
    text = "version: 1\npolicies:\n  - name: one\n    when: |\n      true &&\n      nothing\n    then: allow\n"

    assert "(line 2 of the expression)" in refused(text).message


def test_toml_tells_lines_too() -> None:
    assert refused("version = 1\npolicies = x", ".toml").ids["line"] == "2"
    assert refused(SAME_IN_TOML.replace("admins", "admins + "), ".toml").ids["line"] == "6"


@pytest.mark.parametrize("name", ["p.txt", "none.yaml", "folder.yaml", "latin.yaml", "long.yaml"])
def test_files_that_cannot_be_read_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    (tmp_path / "long.yaml").write_text("#" * 600_000)

    with pytest.raises(ConfigurationError, match=name):
        load_policies(tmp_path / name)


@pytest.mark.parametrize("suffix", [".yaml", ".json", ".toml"])
def test_deep_nesting_is_refused_and_ends_nothing(suffix: str) -> None:
    text = "[" * 30_000 if suffix != ".toml" else "a = " + "[" * 30_000

    refused(text, suffix)


def test_mutations_that_the_application_does_not_have_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(one(more="    applies_to: [grant_admin, Roles]\n"))
    assert load_policies(tmp_path / "p.yaml", mutations=MUTATIONS)

    (tmp_path / "p.yaml").write_text(one(more="    applies_to: grant_admn\n"))
    with pytest.raises(ConfigurationError, match="no mutation or type of state 'grant_admn'"):
        load_policies(tmp_path / "p.yaml", mutations=MUTATIONS)


def test_the_schema_for_editors_is_the_one_that_is_checked_in() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json_schema(), "gov policy schema > the file"


WORDS = st.sampled_from(
    [
        *(
            "version",
            "requirements",
            "policies",
            "tests",
            "name",
            "when",
            "then",
            "otherwise",
            "applies_to",
            "priority",
        ),
        *("allow", "deny", "require", "amend", "payload", "reason", "code", "role", "actor", "quorum", "leads", "one"),
        *("true", "actor.id == 'x'", "state.a.b", "mutation.user + 1", "6h", "[1].all(x, x > 0)", "1 +", "lead", ""),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8) | st.dates()
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5))
PARTS = st.fixed_dictionaries(
    {"name": WORDS, "then": st.just("allow") | st.dictionaries(WORDS, TREES, max_size=2)},
    optional={"when": WORDS, "otherwise": TREES, "applies_to": TREES, "priority": LEAVES, "timeout": LEAVES},
)
FILES = TREES | st.fixed_dictionaries(
    {"version": st.just(1) | LEAVES, "policies": st.lists(PARTS, max_size=3)},
    optional={"requirements": st.dictionaries(WORDS, TREES, max_size=2), "tests": TREES},
)


def load_or_refuse(text: str, suffix: str) -> None:
    try:
        policies = loaded(text, suffix)
    except ConfigurationError:
        return
    assert policies
    assert all(isinstance(each, Policy) for each in policies)


@given(data=FILES)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_content_gives_policies_or_a_configuration_error(data: Any) -> None:
    load_or_refuse(yaml.safe_dump(data), ".yaml")


@given(text=st.text(max_size=200), suffix=st.sampled_from([".yaml", ".toml", ".json"]))
def test_any_text_gives_policies_or_a_configuration_error(text: str, suffix: str) -> None:
    load_or_refuse(text, suffix)


@given(cut=st.integers(0, len(GOOD)), put=st.text(alphabet="{}[]:,-#&*!|>'\"%@`\n x1", max_size=5))
def test_a_damaged_file_gives_policies_or_a_configuration_error(cut: int, put: str) -> None:
    load_or_refuse(GOOD[:cut] + put + GOOD[cut:], ".yaml")
