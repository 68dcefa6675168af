"""What policies from files say: to the right mutations, as they are written, and no when anything goes wrong."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance import Actor, Governance, Intent, Outcome, Policy, all_of, allow, any_of, approval, policy
from governance.declarative.documents import parse_document
from governance.declarative.loading import built_policies, validated
from governance.declarative.rules import DeclaredPolicy
from governance.declarative.schema import PolicyFile
from governance.domain.errors import ConfigurationError
from tests.cases import GRACE, MUTATIONS, STATE_ID, GrantAdmin, SetNote

FILE = """\
version: 1
requirements:
  two-leads: {role: security-lead, quorum: 2, expires_after: 6h, different_from_step: [], veto: 2}
  owner: {actor: [ada, tony], group: owners, step: 2, veto: false}
policies:
  - name: production
    description: Two leads look at whatever touches production.
    applies_to: grant_admin
    when: '"production" in intent.tags && intent.risk in ["high", "critical"]'
    then: {require: [two-leads, owner], reason: it is production}
  - name: no-root
    applies_to: [Roles]
    when: has(mutation.user) && mutation.user == "root"
    then: {deny: {reason: nobody is root, code: no-root, severity: critical}}
    otherwise: {allow: not root}
  - name: lower-case
    applies_to: grant_admin
    when: mutation.payload.user != mutation.user.lowerAscii()
    then: {amend: {payload: {user: mutation.user.lowerAscii()}, reason: lower case}}
"""


def loaded(text: str) -> tuple[DeclaredPolicy, ...]:
    document = parse_document(text, "policies.yaml", ".yaml")
    mutations = {each.mutation_type: each for each in MUTATIONS}
    return built_policies(document, validated(document, PolicyFile), mutations)


def one(when: str, then: str = "allow", otherwise: str = "allow", more: str = "") -> DeclaredPolicy:
    lines = ["version: 1", "policies:", "  - name: one", "    when: |", f"      {when}"]
    return loaded("\n".join([*lines, f"    then: {then}", f"    otherwise: {otherwise}", more]))[0]


def asked(policies: Sequence[Policy], mutation: Any, **given: Any) -> Outcome:
    with Governance.open("sqlite://", mutations=MUTATIONS, policies=policies) as governance:
        return governance.run(mutation, state_id=STATE_ID, **{"actor": GRACE, "reason": "why", **given})


def test_a_requirement_is_asked_for_as_it_is_written() -> None:
    tags = Intent(tags=("production",), risk="high")

    request = asked(loaded(FILE), GrantAdmin(user="ada"), intent=tags).request

    assert [each.asked for each in request.requirements] == [
        approval(role="security-lead", quorum=2, expires_after=timedelta(hours=6), veto=2, name="two-leads"),
        approval(actor=("ada", "tony"), group="owners", step=2, veto=False, name="owner"),
    ]


def test_a_denial_says_what_is_written() -> None:
    request = asked(loaded(FILE), GrantAdmin(user="root")).request

    denied = next(each for each in request.verdicts if each.policy == "no-root")
    assert (denied.decision, denied.code, denied.severity, denied.reason) == (
        "deny",
        "no-root",
        "critical",
        "nobody is root",
    )


def test_an_amendment_runs_in_place_of_what_was_asked_for() -> None:
    outcome = asked(loaded(FILE), GrantAdmin(user="ADA"))

    assert outcome.executed
    assert outcome.request.mutation.payload == {"user": "ada"}


def test_policies_are_asked_only_about_what_they_apply_to() -> None:
    request = asked(loaded(FILE), SetNote(note="x")).request

    assert [each.policy for each in request.verdicts] == ["no-root"]


def test_a_mutation_can_be_amended_into_another_type() -> None:
    then = "{amend: {type: set_note, payload: {note: '\"no admin for \" + mutation.user'}}}"

    outcome = asked([one('mutation.type == "grant_admin"', then)], GrantAdmin(user="ada"))

    assert (outcome.request.mutation.type, outcome.request.mutation.payload) == (
        "set_note",
        {"note": "no admin for ada"},
    )


def test_expressions_see_everything_that_they_are_promised() -> None:
    seen = [
        'mutation == {"user": "ada", "type": "grant_admin", "version": 1, "payload": {"user": "ada"}}',
        'state == {"admins": [], "note": ""}',
        f'state_id == "{STATE_ID}" && state_version == 0 && round == 1 && reason == "why" && compensates == null',
        'actor.id == "bot" && actor.person == "boss" && actor.kind == "service" && actor.roles == ["r"]',
        'intent.risk == "low" && intent.blast_radius.scope == "single" && intent.tags == []',
        'change_set.exists(c, c.path == "/admins/-" && c.kind == "added" && c.new == "ada")',
        'metadata.ticket == 7 && now > timestamp("2020-01-01T00:00:00Z")',
    ]
    actor = Actor(id="bot", kind="service", roles=("r",), on_behalf_of="boss")
    for source in seen:
        policies = [one(source, "allow", '{deny: "not seen"}')]
        outcome = asked(policies, GrantAdmin(user="ada"), actor=actor, metadata={"ticket": 7})
        assert outcome.executed, (source, outcome.request.ended_because)


def test_a_restoration_is_judged_but_not_amended() -> None:
    then = "{amend: {payload: {user: '\"eve\"'}}}"
    policies = [one("compensates != null", then, more="    applies_to: grant_admin")]
    with Governance.open("sqlite://", mutations=MUTATIONS, policies=policies) as governance:
        done = governance.run(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="r").request
        undoing = governance.compensate(done.id, actor=GRACE, reason="r", kind="restore")

    assert undoing.status == "rejected"
    assert "cannot be amended" in (undoing.ended_because or "")


BROKEN = [
    "metadata.missing",
    "mutation.user",
    "mutation.user > 1",
    "1 / 0 == 1",
    "state.admins[0] == 'x'",
    "'a'.getHours('UTC') == 1",
    "null",
]


@pytest.mark.parametrize("source", BROKEN)
@pytest.mark.parametrize("otherwise", ["allow", "{deny: no way}"])
def test_what_goes_wrong_denies(source: str, otherwise: str) -> None:
    request = asked([one(source, "allow", otherwise)], GrantAdmin(user="ada")).request

    assert request.status == "rejected"
    assert [(each.decision, each.code) for each in request.verdicts] == [("deny", "policy-error")]
    assert "when: " in (request.ended_because or "")


@pytest.mark.parametrize("amendment", ["user: '1'", "user: metadata.missing", "nonsense: '\"x\"'", "user: b'x'"])
def test_an_amendment_that_does_not_fit_denies(amendment: str) -> None:
    outcome = asked([one("true", f"{{amend: {{payload: {{{amendment}}}}}}}")], GrantAdmin(user="ada"))

    assert not outcome.executed
    assert [each.code for each in outcome.request.verdicts] == ["policy-error"]


@pytest.mark.parametrize("compose", [any_of, all_of])
def test_what_goes_wrong_denies_within_a_composition_too(compose: Any) -> None:
    fine = policy(name="fine")(lambda mutation, state, context: allow())

    request = asked([compose("composed", one("metadata.missing"), fine)], GrantAdmin(user="ada")).request

    assert request.status == "rejected"
    assert request.verdicts[0].code == "policy-error"


def test_a_policy_says_what_it_is_for() -> None:
    documented, plain = loaded(FILE)[0], loaded(FILE)[1]

    assert documented.__doc__ == "Two leads look at whatever touches production."
    assert plain.__doc__ == "Policy no-root of policies.yaml."


def test_policies_of_files_and_of_code_share_one_space_of_names() -> None:
    twice = policy(name="no-root")(lambda mutation, state, context: allow())

    with (
        pytest.raises(ConfigurationError, match="no-root"),
        Governance.open("sqlite://", mutations=(), policies=[twice, *loaded(FILE)]),
    ):
        pass


WHEN = st.recursive(
    st.sampled_from(
        ["true", "false", "metadata.a", "metadata.a > 1", "metadata.b == 'x'", "state.admins.all(a, a != 'b')", "1"]
    ),
    lambda inner: st.tuples(inner, st.sampled_from(["&&", "||", "==", "+", "<"]), inner).map(
        lambda t: f"({t[0]} {t[1]} {t[2]})"
    ),
    max_leaves=6,
)
VALUES = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["x", "y", "ada"])
THENS = ["allow", "{deny: no way}", "{require: lead}", "{amend: {payload: {user: metadata.b}}}"]
HEAD = "version: 1\nrequirements: {lead: {role: lead}}\npolicies:\n  - name: one\n    when: '"


@given(
    when=WHEN,
    then=st.sampled_from(THENS),
    otherwise=st.sampled_from(THENS),
    metadata=st.dictionaries(st.sampled_from("ab"), VALUES),
)
def test_whatever_is_asked_the_answer_is_a_verdict_and_an_error_is_never_an_allow(
    when: str, then: str, otherwise: str, metadata: dict[str, Any]
) -> None:
    quoted = when.replace("'", "''")
    (declared,) = loaded(f"{HEAD}{quoted}'\n    then: {then}\n    otherwise: {otherwise}\n")

    outcome = asked([declared], GrantAdmin(user="ada"), metadata=metadata)

    (verdict,) = outcome.request.verdicts
    if verdict.code == "policy-error":
        assert outcome.request.status == "rejected"
    expected = {"allow": "allow", "{deny: no way}": "deny", "{require: lead}": "require"}
    allowed = {expected.get(then, "amend"), expected.get(otherwise, "amend"), "deny"}
    assert verdict.decision in allowed | ({"allow"} if outcome.request.mutation.payload != {"user": "ada"} else set())
    assert outcome.executed is (verdict.decision in {"allow", "amend"})
