"""Personal data: sealed wherever it is stored, open to whom it is for, and erased for good without breaking a proof."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from governance import (
    Actor,
    Answer,
    Context,
    Governance,
    IdempotencyConflictError,
    InputError,
    NotFoundError,
    UnreadableEventError,
    allow,
    amend,
    approval,
    deny,
    policy,
)
from governance.audit.keeping import KeptTree
from governance.audit.receipts import check, receipt
from governance.audit.replay import Replay
from governance.event_store.audit_connection import AuditConnection
from governance.event_store.personal_keys import KEPT_SECONDS, PersonalKeys
from governance.event_store.sealing import Vault
from projections import Projections, Views
from tests.audit_stores import Signed
from tests.audit_stores import opened as rows_of
from tests.personal_cases import ADA, ALAN, GRACE, SECRETS, TEAM, WORKER, Hire, Rename, Team, hired, opened


def everything_stored(url: str) -> str:
    """Return all that is stored in tables, as text, but for the keys."""
    with AuditConnection(url) as connection:
        if connection.on_postgres:
            named = "SELECT tablename FROM pg_tables WHERE schemaname = 'governance'"
        else:
            named = "SELECT name FROM sqlite_master WHERE type = 'table'"
        found = [each[0] for each in connection.ask(named)]
        names = [each if isinstance(each, str) else bytes(each).decode() for each in found]
        tables = [name for name in names if name.startswith("governance") and name != "governance_personal_keys"]
        assert "governance_events" in tables
        return repr([connection.ask(f'SELECT * FROM {{schema}}"{name}"') for name in tables])


class Keyed(Signed):
    """A store that is signed without having been played."""

    def __init__(self, url: str, directory: Path) -> None:
        super().__init__(url, directory, commands=())


def test_nothing_personal_stands_in_any_table_or_file(store_url: str) -> None:
    with opened(store_url) as governance:
        hired(governance)
        with Projections.open(store_url) as projections:
            projections.catch_up()
        stored = everything_stored(store_url)
        assert "sealed:1:" in stored
        for secret in SECRETS:
            assert secret not in stored
        if store_url.startswith("sqlite"):
            for file in Path(store_url.removeprefix("sqlite:///")).parent.glob("governance.db*"):
                assert not any(secret.encode() in file.read_bytes() for secret in SECRETS), file


def test_user_code_and_readers_see_what_was_meant(store_url: str) -> None:
    seen: list[tuple[str, str, Any]] = []

    @policy(Hire)
    def look(mutation: Hire, state: Team, context: Context) -> Answer:
        seen.append((mutation.email, context.reason, context.metadata))
        return allow() if mutation.email.endswith("@example.org") else deny("elsewhere", code="elsewhere")

    with opened(store_url, policies=[look]) as governance:
        request_id = hired(governance)
        refused = governance.submit(Hire(user="eve", email="eve@evil"), state_id=TEAM, actor=GRACE, reason="x")
        assert seen[0] == ("ada@example.org", "because of her skills", {"where": {"room": "ward 7"}})
        assert refused.end_code == "policy-denied"
        assert governance.state(TEAM).value.people[0].email == "ada@example.org"
    with opened(store_url) as governance:
        request = governance.opened(governance.request(request_id))
        assert request.mutation.payload == {"user": "ada", "email": "ada@example.org", "phone": "0151-2345"}
        assert (request.reason, request.requester.name) == ("because of her skills", "Grace Hopper")
        assert request.metadata == {"where": {"room": "ward 7"}}
        assert request.decisions[3].reason == "met her"
        assert request.change_set[0].new == {"id": "ada", "email": "ada@example.org", "phone": "0151-2345"}
        assert governance.request(request_id).reason.startswith("sealed:1:"), "nobody gets it who does not ask for it"


def test_what_was_approved_still_runs_when_another_part_of_the_state_has_moved(store_url: str) -> None:
    with opened(store_url) as governance:
        hired(governance)
        pending = governance.submit(
            Rename(name="core"), state_id=TEAM, actor=GRACE, reason="r", requires=[approval(actor="alan")]
        )
        governance.approve(pending.id, actor=ALAN)
        governance.run(Hire(user="bob", email="bob@example.org"), state_id=TEAM, actor=GRACE, reason="r")
        outcome = governance.execute(pending.id, actor=WORKER)
        assert outcome.executed
        assert [each.path for each in outcome.change_set] == ["/name"]
        assert [each.email for each in governance.state(TEAM).value.people] == ["ada@example.org", "bob@example.org"]


def test_restoring_brings_sealed_values_back(store_url: str) -> None:
    with opened(store_url) as governance:
        hired(governance)
        second = governance.run(Rename(name="core"), state_id=TEAM, actor=GRACE, reason="r").request
        undo = governance.compensate(second.id, actor=GRACE, reason="wrong", kind="restore")
        assert governance.execute(undo.id, actor=WORKER).executed
        assert governance.state(TEAM).value.people[0].email == "ada@example.org"
        assert governance.state(TEAM).digest == governance.state(TEAM, version=1).digest
        assert "ada@example.org" not in everything_stored(store_url)


def test_erased_shows_as_erased_everywhere_and_every_proof_holds(store_url: str, tmp_path: Path) -> None:
    signed = Keyed(store_url, tmp_path)
    with opened(store_url) as governance:
        request_id = hired(governance)
        signed.sign()
        before = _receipt(signed, request_id)

        done = governance.forget("ada", actor=ALAN, reason="she asked us to")

        assert done.keys
        assert done.position == governance.log.head()
        assert [(each.email, each.phone) for each in governance.state(TEAM).value.people] == [("[erased]", "[erased]")]
        shown = governance.opened(governance.request(request_id))
        assert shown.mutation.payload == {"user": "ada", "email": "[erased]", "phone": "[erased]"}
        assert shown.reason == "because of her skills", "what Grace wrote is hers"
        told = governance.opened([each.model_dump(mode="json") for each in governance.history(request_id)])
        assert "ada@example.org" not in json.dumps(told)
        assert "[erased]" in json.dumps(told)
        governance.forget("grace", actor=ALAN, reason="she asked us to")
        assert governance.opened(governance.request(request_id)).reason == "[erased]"
    with Projections.open(store_url) as projections:
        projections.catch_up()
    vault = Vault(PersonalKeys(store_url))
    with Views.open(store_url) as views:
        assert vault.opened(views.requests()).items[0].reason == "[erased]"
        assert "[erased]" in json.dumps(vault.opened(views.changes(limit=5)).items[0].new)
    with rows_of(store_url) as (rows, _):
        assert "[erased]" in repr(vault.opened(Replay(rows).state(TEAM).value))
    assert signed.verify().problems == ()
    assert signed.verify().holding == ("at 9",)
    signed.sign()
    for text in (before, _receipt(signed, request_id)):
        assert check(text).wrong == ()
        assert "ada@example.org" not in text


def _receipt(signed: Signed, request_id: str) -> str:
    note = signed.keys.latest("tests.example/log")
    assert note is not None
    keys = [each.verifier for each in signed.keys.keys()]  # noqa: SIM118 - not a dict
    with rows_of(signed.url) as (rows, tables):
        return json.dumps(receipt(rows, KeptTree(rows, tables), request_id, note, keys))


def test_forgetting_changes_no_event(store_url: str) -> None:
    with opened(store_url) as governance:
        hired(governance)
        with rows_of(store_url) as (rows, _):
            before = [row for page in rows.pages(0, 1_000) for row in page]
        governance.forget("ada", actor=ALAN, reason="asked")
        with rows_of(store_url) as (rows, _):
            after = [row for page in rows.pages(0, 1_000) for row in page]
    assert after[:-1] == before
    assert after[-1][3] == b"SubjectForgotten"


def test_forgetting_again_changes_nothing_and_nobody_cannot_be_forgotten(store_url: str) -> None:
    with opened(store_url) as governance:
        hired(governance)
        first = governance.forget("ada", actor=ALAN, reason="asked")
        assert governance.forget("ada", actor=ALAN, reason="asked again") == first
        assert governance.log.head() == first.position
        for subject, error in (("nobody", NotFoundError), ("", InputError), ("a\nb", InputError)):
            with pytest.raises(error):
                governance.forget(subject, actor=ALAN, reason="asked")
        with pytest.raises(InputError):
            governance.forget("ada", actor=ALAN, reason=" ")
        assert governance.log.head() == first.position


def test_an_erasure_that_was_broken_off_is_recorded_by_the_next(store_url: str) -> None:
    with opened(store_url) as governance:
        hired(governance)
        (key,) = PersonalKeys(store_url).destroy("ada")
    with opened(store_url) as governance:
        assert governance.state(TEAM).value.people[0].email == "[erased]"
        assert governance.forget("ada", actor=ALAN, reason="asked").keys == (key,)


def test_who_comes_back_gets_a_new_key_and_what_was_erased_stays_so(store_url: str) -> None:
    with opened(store_url) as governance:
        hired(governance)
        governance.forget("ada", actor=ALAN, reason="asked")
        again = governance.run(Hire(user="ada", email="new@example.org"), state_id=TEAM, actor=GRACE, reason="r")
        assert again.executed
        assert [each.email for each in governance.state(TEAM).value.people] == ["[erased]", "new@example.org"]
        assert len(governance.forget("ada", actor=ALAN, reason="asked").keys) == 1
        assert [each.email for each in governance.state(TEAM).value.people] == ["[erased]", "[erased]"]


def test_a_sealed_value_cannot_be_moved_to_another_place(store_url: str, tmp_path: Path) -> None:
    with opened(store_url) as governance:
        first, second = hired(governance), hired(governance, Hire(user="bob", email="bob@example.org"))
        sealed = governance.request(first).mutation.payload["email"]
        other = governance.request(second).mutation.payload["email"]
    with rows_of(store_url) as (rows, _):
        row = next(each for page in rows.pages(0, 1_000) for each in page if each[1].endswith(second.encode()))
    _rewrite(store_url, row[0], row[4].decode().replace(str(other), str(sealed)))
    with opened(store_url) as governance, pytest.raises(UnreadableEventError, match="sealed for another place"):
        governance.request(second)
    assert Keyed(store_url, tmp_path).verify().first_bad_position == row[0]


def _rewrite(url: str, position: int, state: str) -> None:
    with AuditConnection(url) as connection:
        if connection.on_postgres:
            connection.ask("ALTER TABLE {schema}governance_events DISABLE TRIGGER governance_refuse_change")
        else:
            connection.ask("DROP TRIGGER governance_refuse_update")
        connection.ask("UPDATE {schema}governance_events SET state = ? WHERE position = ?", (state, position))


def test_nobody_can_pass_text_off_as_sealed(store_url: str) -> None:
    with opened(store_url) as governance:
        request_id = hired(governance)
        sealed = str(governance.state_history(TEAM)[0].event.model_dump()["value"]["people"][0]["email"])
        head = governance.log.head()
        for given in (
            {"mutation": Rename(name=sealed)},
            {"mutation": Hire(user="eve", email=sealed)},
            {"reason": sealed},
            {"metadata": {"x": [sealed]}},
            {"actor": Actor(id="eve", name=sealed)},
        ):
            arguments: dict[str, Any] = {"mutation": Rename(name="x"), "reason": "r", "actor": GRACE, **given}
            with pytest.raises(InputError, match="sealed"):
                governance.submit(arguments.pop("mutation"), state_id=TEAM, **arguments)
        for deed in (governance.execute, lambda key, actor: governance.comment(key, actor=actor, text="x")):
            with pytest.raises(InputError, match="sealed"):
                deed(request_id, actor=Actor(id="eve", name=sealed))
        with pytest.raises(InputError, match="sealed"):
            Actor(id=Vault(PersonalKeys("sqlite://")).sealed("ada", "x"))
        assert governance.log.head() == head


def test_the_same_content_is_the_same_until_its_author_is_forgotten(store_url: str) -> None:
    def ask(governance: Governance) -> str:
        request = governance.submit(ADA, state_id=TEAM, actor=GRACE, reason="r", idempotency_key="k")
        return request.id

    with opened(store_url) as governance:
        first = ask(governance)
    with opened(store_url) as governance:
        assert ask(governance) == first
        governance.forget("grace", actor=ALAN, reason="asked")
        with pytest.raises(IdempotencyConflictError):
            ask(governance)


def test_what_another_process_erased_is_erased_here_within_half_a_minute(store_url: str) -> None:
    now = [0.0]
    with opened(store_url) as governance:
        hired(governance)
    here = PersonalKeys(store_url, clock=lambda: now[0])
    key = here.of("ada")
    PersonalKeys(store_url).destroy("ada")
    assert here.named(key.id) == key
    now[0] = KEPT_SECONDS + 1
    assert here.named(key.id) is None
    assert here.of("ada") != key


def test_many_at_once_make_one_key(store_url: str) -> None:
    with opened(store_url):
        pass
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: PersonalKeys(store_url).of("ada"), range(16)))
    assert len(found) == 1


def test_a_key_that_comes_back_from_a_backup_is_found_and_destroyed_again(store_url: str, tmp_path: Path) -> None:
    with opened(store_url) as governance:
        hired(governance)
        with AuditConnection(store_url) as connection:
            kept = connection.ask("SELECT id, secret FROM {schema}governance_personal_keys WHERE subject = ?", ("ada",))
            done = governance.forget("ada", actor=ALAN, reason="asked")
            connection.ask(
                "UPDATE {schema}governance_personal_keys SET secret = ? WHERE id = ?", (kept[0][1], done.keys[0])
            )
    signed = Keyed(store_url, tmp_path)
    (problem,) = signed.verify().problems
    assert (problem.kind, problem.position) == ("key", done.position)
    with opened(store_url) as governance:
        assert governance.state(TEAM).value.people[0].email == "ada@example.org"
        assert governance.forget("ada", actor=ALAN, reason="asked") == done
        assert governance.state(TEAM).value.people[0].email == "[erased]"
    assert signed.verify().problems == ()


def test_a_destroyed_key_is_not_left_in_the_file(sqlite_url: str) -> None:
    with opened(sqlite_url) as governance:
        hired(governance)
        with AuditConnection(sqlite_url) as connection:
            ((secret,),) = connection.ask(
                "SELECT secret FROM {schema}governance_personal_keys WHERE subject = ?", ("ada",)
            )
        files = list(Path(sqlite_url.removeprefix("sqlite:///")).parent.glob("governance.db*"))
        assert any(bytes(secret) in each.read_bytes() for each in files)
        governance.forget("ada", actor=ALAN, reason="asked")
        assert not any(bytes(secret) in each.read_bytes() for each in files if each.exists())


def test_what_was_erased_before_it_ran_does_not_run_as_approved(store_url: str, tmp_path: Path) -> None:
    with opened(store_url) as governance:
        pending = governance.submit(ADA, state_id=TEAM, actor=GRACE, reason="r", requires=[approval(actor="alan")])
        governance.approve(pending.id, actor=ALAN)
        governance.forget("ada", actor=ALAN, reason="asked")
        outcome = governance.execute(pending.id, actor=WORKER)
        assert not outcome.executed
        assert outcome.resolution is not None
        assert outcome.resolution.outcome == "renewal_required"
        assert governance.state(TEAM).version == 0
    assert Keyed(store_url, tmp_path).verify().problems == ()


def test_policies_may_amend_what_is_personal(store_url: str, tmp_path: Path) -> None:
    @policy(Hire)
    def in_lower_case(mutation: Hire, state: Team, context: Context) -> Answer:
        if mutation.email != mutation.email.lower():
            return amend(mutation.model_copy(update={"email": mutation.email.lower()}))
        return allow()

    with opened(store_url, policies=[in_lower_case]) as governance:
        done = governance.run(Hire(user="ada", email="Ada@Example.org"), state_id=TEAM, actor=GRACE, reason="r")
        assert done.executed
        assert governance.state(TEAM).value.people[0].email == "ada@example.org"
        assert "example.org" not in everything_stored(store_url).lower()
    assert Keyed(store_url, tmp_path).verify().problems == ()
