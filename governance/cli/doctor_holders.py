"""Who holds which role and belongs to which group, as the directory says it, each asked for once."""

from collections.abc import Iterable

from governance.directory import DirectoryLookup, Members
from governance.domain.requirements import Approver


class Holders:
    """Remembers what the directory has said, for as long as one look at a store lasts."""

    def __init__(self, directory: DirectoryLookup) -> None:
        self._directory = directory
        self._known: dict[Approver, Members] = {}

    def of(self, approvers: Iterable[Approver]) -> Members:
        """Return who is in the roles and groups among the approvers; DirectoryUnavailableError when it is not known."""
        asked = tuple(approvers)
        unknown = [each for each in asked if each not in self._known]
        if unknown:
            members = self._directory.members(unknown)
            for each in unknown:
                key = (each.kind, each.id)
                self._known[each] = {} if each.kind == "actor" else {key: members[key]}  # type: ignore[index, dict-item]
        return {key: people for each in asked for key, people in self._known[each].items()}

    def role(self, name: str) -> frozenset[str]:
        """Return who holds a role."""
        return frozenset().union(*self.of([Approver(kind="role", id=name)]).values())
