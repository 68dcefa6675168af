"""Finding the application that `--app module:attribute` names."""

import sys
import traceback
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from governance.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from governance.app import App

MISSING = "no application given: name your mutations and policies with --app module:attribute, or set GOVERNANCE_APP"
_SHAPE = "a governance.App, a function that returns one, or something with mutations and policies"


def load_app(spec: str | None) -> "App":
    """Return the application; ConfigurationError says what is wrong with the name, the module or the attribute."""
    if not spec:
        raise ConfigurationError(MISSING)
    module_name, _, attribute = spec.partition(":")
    if not module_name or (":" in spec and not attribute):
        _refuse(spec, "write it as module:attribute, as in --app access.governed:app")
    found = _attribute(_module(module_name, spec), attribute, spec)
    return _app(_called(found, spec), spec)


def _module(name: str, spec: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            _refuse(spec, f"there is no module {error.name!r} in {here} or among the installed packages")
        _refuse(spec, _told("importing it failed", error))
    except Exception as error:
        _refuse(spec, _told("importing it failed", error))


def _attribute(found: Any, path: str, spec: str) -> Any:
    for part in path.split(".") if path else ():
        if not hasattr(found, part):
            _refuse(spec, f"{getattr(found, '__name__', type(found).__name__)} has no attribute {part!r}")
        found = getattr(found, part)
    return found


def _called(found: Any, spec: str) -> Any:
    if not callable(found) or isinstance(found, type) or hasattr(found, "mutations"):
        return found
    try:
        return found()
    except Exception as error:
        _refuse(spec, _told("calling it failed", error))


def _app(found: Any, spec: str) -> "App":
    from governance.app import App
    from governance.settings import Settings

    if isinstance(found, App):
        return found
    parts: Mapping[str, Any]
    parts = found if isinstance(found, Mapping) else {name: getattr(found, name, None) for name in _PARTS}
    mutations: Any
    mutations, policies, directory, settings = (parts.get(name) for name in _PARTS)
    if not _several(mutations) or not (policies is None or _several(policies)):
        what = "a module without 'mutations'" if isinstance(found, ModuleType) else f"a {type(found).__name__}"
        _refuse(spec, f"it is {what}, and has to be {_SHAPE}")
    if settings is not None and not isinstance(settings, Settings):
        _refuse(spec, f"its settings are a {type(settings).__name__}, not governance.Settings")
    return App(mutations=tuple(mutations), policies=tuple(policies or ()), directory=directory, settings=settings)


_PARTS = ("mutations", "policies", "directory", "settings")


def _several(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


def _told(what: str, error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{what}: {type(error).__name__}: {error}{place}"


def _refuse(spec: str, why: str) -> NoReturn:
    msg = f"--app {spec}: {why}"
    raise ConfigurationError(msg, app=spec)
