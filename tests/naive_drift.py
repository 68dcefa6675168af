"""Drift, supersession, batches and compensation over several states, written down a second time, naively.

Nothing here is taken from the code under test. A value is plain JSON: `{"total": 3, "cells": {"a": 1}}`.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.naive_model import OPEN, RefusedError

Value = dict[str, Any]
EMPTY: Value = {"total": 0, "cells": {}}
MUCH = 100
MAX_ROUNDS = 3


@dataclass(frozen=True)
class Change:
    """What is to be done to a sheet."""

    kind: str
    number: int = 0
    cell: str = ""
    value: Any = None

    def invalid(self, on: Value) -> bool:
        return self.kind == "add" and on["total"] + self.number < 0

    def after(self, on: Value) -> Value:
        if self.kind == "restore":
            return deepcopy(dict(self.value))
        new = deepcopy(on) if self.kind != "wipe" else deepcopy(EMPTY)
        if self.kind == "add":
            new["total"] += self.number
        elif self.kind == "set":
            new["cells"][self.cell] = self.number
        elif self.kind == "drop":
            new["cells"].pop(self.cell, None)
        return new

    def inverse(self, before: Value) -> "Change | None":
        if self.kind == "add":
            return Change("add", -self.number)
        if self.kind not in ("set", "drop"):
            return None
        had = self.cell in before["cells"]
        return Change("set", before["cells"][self.cell], self.cell) if had else Change("drop", cell=self.cell)

    def minds(self, paths: set[str]) -> bool:
        """Whether a move of these paths is where this reads or writes."""
        return f"/cells/{self.cell}" in paths if self.cell else True


def flat(value: Value) -> dict[str, int]:
    return {"/total": value["total"], **{f"/cells/{name}": each for name, each in value["cells"].items()}}


def difference(before: Value, after: Value) -> frozenset[tuple[str, int | None, int | None]]:
    """Return what a change set would say: path, old, new."""
    one, other = flat(before), flat(after)
    paths = {each for each in {*one, *other} if one.get(each) != other.get(each)}
    return frozenset((each, one.get(each), other.get(each)) for each in paths)


@dataclass(eq=False)
class Request:
    """What is known of a request."""

    state: str
    change: Change
    strategy: str
    asked: bool
    status: str = "pending"
    end: str | None = None
    round: int = 1
    evaluated: int = 0
    approved_change: frozenset[Any] = frozenset()
    result: int | None = None
    compensates: "Request | None" = None
    compensated_by: "Request | None" = None
    superseded_by: "Request | None" = None
    predecessors: list["Request"] = field(default_factory=list)
    batch: "Batch | None" = None

    def finish(self, status: str, end: str | None = None) -> None:
        self.status, self.end = status, end


@dataclass(eq=False)
class Batch:
    """Several requests, and what became of those that had to be put right."""

    requests: list[Request]
    atomic: bool
    status: str = "open"
    failed: Request | None = None
    put_right: dict[int, Request] = field(default_factory=dict)
    """Which request puts right that with this number, whether it has run or waits for approval."""
    left: set[int] = field(default_factory=set)
    """Numbers of those that could not be put right."""


class World:
    """All states and all requests."""

    def __init__(self) -> None:
        self.versions: dict[str, list[Value]] = {}
        self.requests: list[Request] = []
        self.batches: list[Batch] = []

    def values(self, state: str) -> list[Value]:
        return self.versions.setdefault(state, [deepcopy(EMPTY)])

    def submit(self, request: Request, supersedes: Request | None = None) -> Request:
        if supersedes is not None and supersedes.state != request.state:
            raise RefusedError("InputError")
        on = self.values(request.state)[-1]
        request.asked = request.asked or asks_a_lead(request)
        request.evaluated = len(self.values(request.state)) - 1
        request.approved_change = difference(on, request.change.after(on))
        if request.change.invalid(on):
            request.finish("rejected", "validation-failed")
        else:
            request.status = "pending" if request.asked else "approved"
        request.predecessors = [supersedes] if supersedes is not None else []
        if supersedes is not None and request.status in OPEN:
            end_for(supersedes, request)
        self.requests.append(request)
        return request

    def approve(self, request: Request) -> None:
        if request.status != "pending":
            raise RefusedError("InvalidTransitionError")
        request.status = "approved"

    def cancel(self, request: Request) -> None:
        if request.status not in OPEN:
            raise RefusedError("InvalidTransitionError")
        request.finish("canceled", "canceled")

    def supersede(self, old: Request, new: Request) -> None:
        if old.state != new.state or old is new:
            raise RefusedError("InputError")
        if new.status not in OPEN:
            raise RefusedError("InvalidTransitionError")
        end_for(old, new)
        new.predecessors.append(old)

    def execute(self, request: Request) -> bool:
        """Return whether the request ran."""
        runnable(request)
        if request.compensates is not None and request.compensates.status == "compensated":
            request.finish("rejected", "already-compensated")
            return False
        after = self.resolve(request, self.values(request.state))
        if after is None:
            return False
        self.take_effect(request, after)
        return True

    def take_effect(self, request: Request, after: Value) -> None:
        self.values(request.state).append(after)
        request.result = len(self.values(request.state)) - 1
        request.finish("executed")
        if request.compensates is not None:
            request.compensates.finish("compensated")
            request.compensates.compensated_by = request

    def resolve(self, request: Request, values: list[Value]) -> Value | None:
        """Return the value that executing on the last of these leads to; None, and why in the request, if it cannot."""
        now, seen = values[-1], values[request.evaluated]
        moved = {path for path, _, _ in difference(seen, now)}
        stale = len(values) - 1 != request.evaluated and request.change.minds(moved)
        after = request.change.after(now)
        differs = request.asked and difference(now, after) != request.approved_change
        if stale and request.strategy == "reject":
            request.finish("rejected", "stale")
        elif request.change.invalid(now):
            request.finish("rejected", "validation-failed")
        elif differs or (stale and request.strategy == "renew" and request.asked):
            self.renew(request, values)
        else:
            request.evaluated = len(values) - 1 if stale else request.evaluated
            return after
        return None

    def renew(self, request: Request, values: list[Value]) -> None:
        if request.round >= MAX_ROUNDS:
            request.finish("rejected", "rounds-exhausted")
            return
        request.round += 1
        request.evaluated = len(values) - 1
        request.approved_change = difference(values[-1], request.change.after(values[-1]))
        request.status = "pending"

    def compensate(self, original: Request, kind: str) -> Request:
        if original.status == "compensated":
            raise RefusedError("AlreadyCompensatedError")
        if original.status != "executed" or original.result is None:
            raise RefusedError("InvalidTransitionError")
        values = self.values(original.state)
        before = values[original.result - 1]
        if kind == "restore":
            if len(values) - 1 != original.result:
                raise RefusedError("StaleError")
            change: Change | None = Change("restore", value=before)
        else:
            change = original.change.inverse(before)
        if change is None:
            raise RefusedError("NotReversibleError")
        strategy = "reject" if kind == "restore" else "revalidate"
        return self.submit(Request(original.state, change, strategy, False, compensates=original))


def asks_a_lead(request: Request) -> bool:
    """Whether the policy about large amounts asks for approval, of the deed or of restoring what was before it."""
    change = request.change
    if change.kind == "restore" and request.compensates is not None:
        change = request.compensates.change
    return change.kind == "add" and abs(change.number) >= MUCH


def runnable(request: Request) -> None:
    if request.status in {"executed", "compensated"}:
        raise RefusedError("AlreadyExecutedError")
    if request.status != "approved":
        raise RefusedError("InvalidTransitionError")


def end_for(old: Request, new: Request) -> None:
    if old.status not in OPEN:
        raise RefusedError("InvalidTransitionError")
    old.finish("superseded", "superseded")
    old.superseded_by = new
