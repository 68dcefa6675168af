"""The second half of the naive model: resolution, execution and compensation, from the description of the product."""

from datetime import datetime

from tests.naive_model import Ask, Change, Person, RefusedError, Request, World


class Executing(World):
    """A world in which requests also run and are put right."""

    def execute(self, request: Request) -> str:
        """Return how it went: `executed`, or why not."""
        if request.status in {"executed", "compensated"}:
            raise RefusedError("AlreadyExecutedError")
        now = max(self.check(request, "approved"), self.changed)
        if self.ended_by_time(request, now):
            return "expired"
        request.updated = now
        original = request.compensates
        if original is not None and original.status == "compensated":
            request.finish("rejected", "already-compensated")
            return "rejected"
        how = self.resolve(request, now)
        if how == "executed":
            self.versions.append(request.change.after(self.state))
            self.changed = now
            request.result = self.version
            request.finish("executed")
            if original is not None:
                original.finish("compensated")
                original.compensated_by = request
        if original is not None and how != "renewed":
            original.updated = now
        return how

    def resolve(self, request: Request, now: datetime) -> str:
        """Compare the version that was evaluated with the current one and say what follows."""
        change, asked = request.change, [each.ask for each in request.open]
        same = change.would_change(self.state) == request.approved_change
        moved = self.version != request.evaluated
        if moved and change.looks_at(self.versions[request.evaluated], self.state):
            return self.stale(request, now, same=same or not asked)
        if change.invalid(self.state):
            request.finish("rejected", "validation-failed")
            return "rejected"
        return "executed" if same or not asked else self.renew(request, asked, now)

    def stale(self, request: Request, now: datetime, *, same: bool) -> str:
        """Let the request's own strategy decide."""
        asked = [each.ask for each in request.open]
        original = request.compensates.change if request.compensates else None
        denied, demanded = self.policies(request.change, original)
        given = {ask.demand() for ask in asked}
        unmet = [ask for ask in demanded if ask.demand() not in given]
        ends = None
        if request.strategy == "reject":
            ends = "stale"
        elif request.change.invalid(self.state):
            ends = "validation-failed"
        elif denied:
            ends = "policy-denied"
        if ends:
            request.finish("rejected", ends)
            return "rejected"
        if (request.strategy == "renew" and asked) or unmet or not same:
            return self.renew(request, [*asked, *unmet], now)
        request.evaluated = self.version
        return "executed"

    def renew(self, request: Request, asks: list[Ask], now: datetime) -> str:
        """Void what was given and ask again, about the state as it is now."""
        if any(each.ask.until is not None and each.ask.until <= now for each in request.open):
            request.finish("rejected", "approval-expired")
            return "rejected"
        request.round += 1
        request.evaluated = self.version
        request.approved_change = request.change.would_change(self.state)
        self.open_round(request, asks, now)
        return "renewed"

    def compensate(self, original: Request, person: Person, kind: str) -> Request:
        """Ask to put right what an executed request did."""
        if original.status == "compensated":
            raise RefusedError("AlreadyCompensatedError")
        if original.status != "executed":
            raise RefusedError("InvalidTransitionError")
        assert original.result is not None
        before = self.versions[original.result - 1]
        if kind == "restore":
            if self.version != original.result:
                raise RefusedError("StaleError")
            change = Change("restore", value=before)
        elif original.change.kind == "grant":
            change = Change("revoke", original.change.text)
        elif original.change.kind == "note":
            change = Change("note", before.note)
        else:
            raise RefusedError("NotReversibleError")
        strategy = "reject" if kind == "restore" else "revalidate"
        return self.submit(
            Request(requester=person, change=change, strategy=strategy, created=self.now, updated=self.now,
                    compensates=original), []
        )  # fmt: skip
