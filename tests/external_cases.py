"""A store of states that keeps them in files, and goes wrong wherever a test wants it to."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from governance import Actor, Effect, EffectHandler, Governance, Loaded, Mutation, Settings, VersionMismatchError

GRACE = Actor(id="grace")
WORKER = Actor(id="worker", kind="service")


class Firewall(BaseModel):
    """Which ports are open."""

    ports: tuple[int, ...] = ()


class PortOpened(Effect):
    contract = "port-opened"
    port: int


class OpenPort(Mutation[Firewall]):
    port: int

    def apply(self, state: Firewall) -> Firewall:
        return Firewall(ports=(*state.ports, self.port))

    def validate_on(self, state: Firewall) -> list[str]:
        return [f"{self.port} is open"] if self.port in state.ports else []

    def inverse(self, before: Firewall, after: Firewall) -> "ClosePort":
        return ClosePort(port=self.port)

    def effects(self, before: Firewall, after: Firewall) -> list[Effect]:
        return [PortOpened(port=self.port)]


class ClosePort(Mutation[Firewall]):
    port: int

    def apply(self, state: Firewall) -> Firewall:
        return Firewall(ports=tuple(each for each in state.ports if each != self.port))


class Files:
    """Keeps each state in a file of versions; `at` is called before and after the moment in which it is written."""

    state = Firewall

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.at: Callable[[str], None] = lambda _: None
        self.asked: list[str] = []

    def load(self, state_id: str) -> Loaded | None:
        self.asked.append("load")
        self.at("load")
        versions = self.versions(state_id)
        return Loaded(versions[-1]["value"], f"v{len(versions)}") if versions else None

    def compare_and_set(self, state_id: str, value: Firewall, *, expected: str | None, key: str) -> str:
        self.asked.append("compare_and_set")
        self.at("before the write")
        done = self._under(state_id, key)
        if done is not None:
            return done
        versions = self.versions(state_id)
        if expected != (f"v{len(versions)}" if versions else None):
            raise VersionMismatchError(f"at v{len(versions)}, not at {expected}", state=state_id)
        self.put(state_id, value.model_dump(mode="json"), key)
        self.at("after the write")
        return f"v{len(versions) + 1}"

    def outcome(self, state_id: str, key: str) -> str | None:
        self.asked.append("outcome")
        self.at("outcome")
        return self._under(state_id, key)

    def put(self, state_id: str, value: Any, key: str | None = None) -> None:
        """Write a version, as whoever else has access to it would."""
        versions = [*self.versions(state_id), {"value": value, "key": key}]
        other = self._folder / f"{state_id}.{os.getpid()}.new"
        other.write_text(json.dumps(versions), "utf-8")
        other.replace(self._folder / f"{state_id}.json")

    def versions(self, state_id: str) -> list[dict[str, Any]]:
        file = self._folder / f"{state_id}.json"
        found: list[dict[str, Any]] = json.loads(file.read_text("utf-8")) if file.exists() else []
        return found

    def _under(self, state_id: str, key: str) -> str | None:
        keys = [each["key"] for each in self.versions(state_id)]
        return f"v{keys.index(key) + 1}" if key in keys else None


def opened(url: str, store: Files, *handlers: EffectHandler, **settings: Any) -> Governance:
    """Return the governance of these tests."""
    return Governance.open(
        url,
        mutations=[OpenPort, ClosePort],
        state_stores=[store],
        effect_handlers=handlers,
        settings=Settings(**settings),
    )


def asked_for(gov: Governance, port: int = 443, state_id: str = "edge") -> str:
    """Return the id of an approved request."""
    return gov.submit(OpenPort(port=port), state_id=state_id, actor=GRACE, reason="r").id


def kill_at(point: str) -> Callable[[str], None]:
    """Return what ends this process when the store reaches a point."""

    def at(reached: str) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    return at
