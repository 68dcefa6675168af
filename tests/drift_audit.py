"""What has to be true of every history in which states drift and requests are put right, told from events alone."""

import json
from collections.abc import Callable
from typing import Any

from governance import Governance, MutationRequest, Recorded
from governance.domain.events import (
    Compensated,
    Created,
    Executed,
    PendingApproval,
    PoliciesEvaluated,
    Replaced,
    StateChanged,
    Superseded,
    VersionResolved,
)
from tests.naive_drift import EMPTY, Change, Value, difference

KINDS = {"add_to_total": "add", "set_cell": "set", "drop_cell": "drop", "wipe": "wipe", "restore": "restore"}


def as_change(mutation: Any) -> Change:
    """Return a stored mutation as the naive model knows it."""
    said = mutation.payload
    number = said.get("amount", said.get("number", 0))
    return Change(KINDS[mutation.type], number, said.get("cell", ""), thawed(said.get("value")))


def thawed(value: Any) -> Any:
    return json.loads(json.dumps(value))


def plain(value: Any) -> Value:
    return json.loads(value.model_dump_json()) if value is not None else EMPTY


def told(change_set: Any) -> frozenset[Any]:
    return frozenset((each.path, each.old, each.new) for each in change_set)


class Audit:
    """Everything that is stored about some states and requests."""

    def __init__(self, gov: Governance, states: list[str], requests: list[str]) -> None:
        self.gov = gov
        self.requests = {key: gov.request(key) for key in requests}
        self.histories: dict[str, Any] = {key: gov.history(key) for key in requests}
        self.states: dict[str, Any] = {key: gov.state_history(key) for key in states}

    def check(self) -> None:
        """Check all of it."""
        for state_id, history in self.states.items():
            self.is_the_fold_of_what_was_executed(state_id, history)
        for key, request in self.requests.items():
            if request.resulting_version is not None:
                self.ran_what_was_approved(key)
            if request.links.compensates is not None and request.resulting_version is not None:
                self.put_right_exactly_what_it_says(request)
            self.links_have_partners(request)

    def is_the_fold_of_what_was_executed(self, state_id: str, history: Any) -> None:
        value = EMPTY
        for number, each in enumerate(history, start=1):
            assert isinstance(each.event, StateChanged)
            request = self.requests[each.event.request_id]
            assert (each.version, request.resulting_version, request.state_id) == (number, number, state_id)
            after = as_change(request.mutation).after(value)
            assert (each.event.value, told(each.event.change_set)) == (after, difference(value, after))
            value = after
        assert plain(self.gov.state(state_id).value) == value
        ran = [each for each in self.requests.values() if each.state_id == state_id and each.resulting_version]
        assert len(ran) == len(history)

    def ran_what_was_approved(self, key: str) -> None:
        history = [each.event for each in self.histories[key]]
        (ran,) = (each for each in history if isinstance(each, Executed))
        resolved = [each for each in history if isinstance(each, VersionResolved)][-1]
        last = self.requests[key].round
        (judged,) = (each for each in history[: _at(history, VersionResolved)]
                     if isinstance(each, PoliciesEvaluated) and each.round == last)  # fmt: skip
        asked = any(isinstance(each, PendingApproval) and each.round == last for each in history)
        if asked or resolved.expected == resolved.current:
            assert told(ran.change_set) == told(judged.change_set), "what ran is not what was approved"
        assert (resolved.expected, ran.version) == (judged.state_version, resolved.current + 1)
        if resolved.outcome == "revalidated":
            assert resolved.strategy == "revalidate" or not asked
        self.drift_is_told(self.requests[key].state_id, resolved, history[: _at(history, VersionResolved)])

    def drift_is_told(self, state_id: str, resolved: VersionResolved, before: list[Any]) -> None:
        """Check that it is said which requests moved the state in between, and where."""
        between = [each for each in self.states[state_id] if resolved.expected < each.version <= resolved.current]
        assert [(each.version, each.request_id) for each in resolved.drift] == [
            (each.version, each.event.request_id) for each in between
        ]
        one, other = (self.value_at(state_id, version) for version in (resolved.expected, resolved.current))
        assert set(resolved.changed_paths) == {path for path, _, _ in difference(one, other)}

    def value_at(self, state_id: str, version: int) -> Value:
        value: Value = self.states[state_id][version - 1].event.value if version else EMPTY
        return value

    def put_right_exactly_what_it_says(self, undo: MutationRequest) -> None:
        original = self.requests[str(undo.links.compensates)]
        assert undo.resulting_version is not None
        assert original.resulting_version is not None
        was, became = (self.value_at(undo.state_id, original.resulting_version - each) for each in (1, 0))
        before, after = (self.value_at(undo.state_id, undo.resulting_version - each) for each in (1, 0))
        assert undo.compensation is not None
        if undo.compensation.kind == "restore":
            assert (undo.resulting_version, after) == (original.resulting_version + 1, was)
        elif (change := as_change(original.mutation)).kind == "add":
            assert after == {**before, "total": before["total"] - (became["total"] - was["total"])}
        else:
            assert after["total"] == before["total"]
            assert after["cells"].get(change.cell) == was["cells"].get(change.cell)
            assert all(after["cells"].get(each) == number for each, number in before["cells"].items()
                       if each != change.cell)  # fmt: skip

    def links_have_partners(self, request: MutationRequest) -> None:
        links = request.links
        for key in links.predecessors:
            if request.status.value != "rejected" or request.round > 1:
                assert self.requests[key].links.superseded_by in {request.id, *self.others_about(key, request.id)}
        if links.superseded_by is not None:
            successor = self.requests[links.superseded_by]
            assert request.id in successor.links.predecessors
            self.together(self.of(request.id, Superseded), self.of(successor.id, Created, Replaced, about=request.id))
        if links.compensated_by is not None:
            undo = self.requests[links.compensated_by]
            assert undo.links.compensates == request.id
            self.together(self.of(request.id, Compensated), self.of(undo.id, Executed))
            assert sum(isinstance(each.event, Compensated) for each in self.histories[request.id]) == 1
        if links.compensates is not None and request.resulting_version is not None:
            assert self.requests[links.compensates].links.compensated_by == request.id
        if links.batch_id is not None:
            assert request.id in {each.id for each in self.gov.batch(links.batch_id).requests}

    def others_about(self, key: str, not_this: str) -> set[str]:
        """Return the requests that also name this one as their predecessor."""
        naming = (each for each in self.requests.values() if key in each.links.predecessors)
        return {each.id for each in naming if each.id != not_this}

    def of(self, key: str, *kinds: type[Any], about: str | None = None) -> Recorded:
        found = [each for each in self.histories[key] if isinstance(each.event, kinds) and _names(each.event, about)]
        last: Recorded = found[-1]
        return last

    @staticmethod
    def together(one: Recorded, other: Recorded) -> None:
        assert one.append_id == other.append_id, "a link was written without its partner"


def _names(event: Any, about: str | None) -> bool:
    return about is None or about in {getattr(event, "predecessor", None), getattr(event, "supersedes", None)}


def _at(history: list[Any], kind: Callable[..., Any]) -> int:
    """Return where the last event of a kind stands."""
    return max(number for number, each in enumerate(history) if isinstance(each, kind))  # type: ignore[arg-type]
