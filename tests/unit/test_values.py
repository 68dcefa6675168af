"""Values are copied and made cheaply, and are nevertheless what pydantic would have made."""

import os
import pickle
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import BaseModel, ValidationError

from governance import Actor, InputError, Intent
from governance.domain.events import Commented
from governance.domain.recorded import Recorded
from governance.domain.story import Decision
from governance.domain.values import Value
from governance.ids import IDS_PER_FETCH, new_id

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ADA = Actor(id="ada")
DECISION = Decision(category="comment", code="Commented", by=ADA, at=NOW, reason="why", requirement=None, version=3)


def test_changed_copy_is_the_one_that_pydantic_makes() -> None:
    ours, theirs = (copy(DECISION, update={"version": 4}) for copy in (Decision.model_copy, BaseModel.model_copy))

    assert ours == theirs
    assert ours.model_dump_json() == theirs.model_dump_json()
    assert ours.model_fields_set == theirs.model_fields_set
    assert (ours.version, DECISION.version) == (4, 3)
    assert hash(ours) == hash(theirs)
    assert pickle.loads(pickle.dumps(ours)) == ours  # noqa: S301 - our own bytes


def test_copy_knows_which_fields_were_given() -> None:
    asked = Intent(risk="high")

    assert asked.model_copy().model_fields_set == {"risk"}
    assert asked.model_copy(update={"tags": ("a",)}).model_fields_set == {"risk", "tags"}
    assert asked.model_fields_set == {"risk"}


def test_deep_copy_shares_nothing() -> None:
    asked = Intent(metadata={"a": [1]})

    copied = asked.model_copy(deep=True)

    assert copied == asked
    assert copied.metadata["a"] is not asked.metadata["a"]


def test_copy_is_as_immutable_as_its_original() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        DECISION.model_copy(update={"version": 4}).version = 5  # type: ignore[misc]


def test_sound_value_is_the_one_that_checking_makes() -> None:
    fields = {name: getattr(DECISION, name) for name in Decision.model_fields}
    event = Commented(text="hello")
    around = {"stream": "s", "version": 1, "at": NOW, "by": ADA, "append_id": "x", "event": event}

    assert Decision.sound(**fields) == DECISION
    assert Decision.sound(**fields).model_dump_json() == DECISION.model_dump_json()
    sound = Recorded.sound(**around, correlation_id=None, causation_id=None, position=None)
    assert sound == Recorded(**around)  # type: ignore[arg-type]
    assert sound.model_fields_set == set(Recorded.model_fields)


class Inner(Value):
    number: int


def test_only_what_callers_make_answers_with_an_error_of_ours() -> None:
    with pytest.raises(InputError):
        Actor(id="")
    with pytest.raises(ValidationError):
        Inner(number="1")  # type: ignore[arg-type]


def test_ids_are_uuids_of_their_moment_and_never_the_same() -> None:
    ids = [new_id(NOW) for _ in range(3 * IDS_PER_FETCH)]

    assert len(set(ids)) == len(ids)
    assert {str(UUID(each)) for each in ids} == set(ids)
    assert {UUID(each).version for each in ids} == {7}
    assert {UUID(each).int >> 80 for each in ids} == {int(NOW.timestamp() * 1000)}


def test_forked_process_gives_out_other_ids_than_its_parent() -> None:
    new_id(NOW)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, "\n".join(new_id(NOW) for _ in range(50)).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as answer:
        theirs = set(answer.read().split())

    assert len(theirs) == 50
    assert not theirs & {new_id(NOW) for _ in range(IDS_PER_FETCH)}
