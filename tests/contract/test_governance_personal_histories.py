"""Random histories with erasures in between: every proof holds, and nothing of who was forgotten can be read."""

from pathlib import Path
from random import Random

import pytest

from governance import Actor, Governance, GovernanceError, MutationRequest, approval
from governance.event_store.audit_connection import AuditConnection
from governance.event_store.audit_rows import AuditRows
from governance.event_store.personal_keys import PersonalKeys
from governance.event_store.sealing import Vault
from tests.audit_stores import THOROUGH, Signed
from tests.personal_cases import ALAN, GRACE, WORKER, Hire, Rename, opened

PEOPLE = ("ada", "bob", "cleo")
STEPS = 60


class Story:
    """Random people doing random things to two states; `written` holds what was ever written of whom."""

    def __init__(self, governance: Governance, random: Random) -> None:
        self.governance = governance
        self.random = random
        self.requests: list[MutationRequest] = []
        self.written: dict[str, set[str]] = {each: set() for each in PEOPLE}
        self.refused = 0

    def go_on(self) -> None:
        deed = self.random.choice(
            (self.hire, self.hire, self.rename, self.decide, self.execute, self.undo, self.forget)
        )
        try:
            deed()
        except GovernanceError:
            self.refused += 1

    def hire(self) -> None:
        who = self.random.choice(PEOPLE)
        address = f"{who}-{self.random.randrange(10**6)}@example.org"
        self.written[who].add(address)
        self.ask(Hire(user=who, email=address))

    def rename(self) -> None:
        self.ask(Rename(name=f"team {self.random.randrange(9)}"))

    def ask(self, mutation: Hire | Rename) -> None:
        requires = [approval(actor="alan")] if self.random.random() < 0.6 else []
        author = Actor(id=self.random.choice(PEOPLE), name="A. Name")
        made = self.governance.submit(
            mutation, state_id=f"team:{self.random.randrange(2)}", actor=author, reason="a reason", requires=requires
        )
        self.requests.append(made)

    def decide(self) -> None:
        self.governance.approve(self.random.choice(self.requests).id, actor=ALAN, comment="a comment")

    def execute(self) -> None:
        self.governance.execute(self.random.choice(self.requests).id, actor=WORKER)

    def undo(self) -> None:
        asked = self.random.choice(self.requests)
        kind = self.random.choice(("restore", "corrective"))
        self.requests.append(self.governance.compensate(asked.id, actor=GRACE, reason="a reason", kind=kind))  # type: ignore[arg-type]

    def forget(self) -> None:
        who = self.random.choice(PEOPLE)
        self.governance.forget(who, actor=ALAN, reason="asked")
        self.written[who].clear()


@pytest.mark.parametrize("seed", range(40 if THOROUGH else 4))
def test_every_proof_holds_and_who_was_forgotten_is(store_url: str, tmp_path: Path, seed: int) -> None:
    signed = Signed(store_url, tmp_path, commands=())
    with opened(store_url) as governance:
        story = Story(governance, Random(seed))
        story.hire()
        for step in range(STEPS):
            story.go_on()
            if step % 20 == 19:
                signed.sign()
        assert len(story.requests) > 5

    report = signed.verify()

    assert report.problems == ()
    assert len(report.holding) == len(signed.anchors)
    vault = Vault(PersonalKeys(store_url))
    with AuditConnection(store_url) as connection:
        rows = [row for page in AuditRows(connection).pages(0, 10_000) for row in page]
    stored = b"".join(row[4] for row in rows)
    assert b"example.org" not in stored
    assert b"A. Name" not in stored
    readable = _opened(vault, rows)
    alive = {each for written in story.written.values() for each in written}
    assert {each for each in alive if each in readable} == alive
    assert readable.count("@example.org") == sum(readable.count(each) for each in alive)


def _opened(vault: Vault, rows: list[tuple[int, bytes, int, bytes, bytes]]) -> str:
    import json

    return json.dumps([vault.opened(json.loads(row[4])) for row in rows])
