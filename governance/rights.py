"""Rights over what belongs to no request, such as calendars and quotas: of administrators, and of holders of a role."""

from governance.directory import DirectoryLookup
from governance.domain.actors import ADMINISTRATORS, Actor
from governance.domain.errors import NotAuthorizedError
from governance.domain.requirements import Approver
from governance.intake import check_actor


class Rights:
    """Knows who holds a role: what the directory says now, or without one what the trusted caller gave."""

    def __init__(self, directory: DirectoryLookup | None = None) -> None:
        self._directory = directory

    def check(self, actor: Actor, role: str, act: str, **ids: str) -> None:
        """Refuse whoever may not do it: InputError for no actor, NotAuthorizedError, DirectoryUnavailableError."""
        check_actor(actor)
        if actor.kind in ADMINISTRATORS:
            return
        known = actor
        if self._directory is not None:
            known = self._directory.actor(actor, (Approver(kind="role", id=role),))
        if role not in known.roles:
            msg = f"{actor.id} may not {act}: that takes the role {role}"
            raise NotAuthorizedError(msg, actor=actor.id, **ids)
