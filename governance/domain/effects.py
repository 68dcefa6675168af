"""Effects: typed descriptions of what is to be done outside once a mutation was executed."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, JsonValue

from governance.domain.values import Given


class Effect(BaseModel):
    """What is to be done; a subclass names its contract and that contract's version, which receivers rely on."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="constants")

    contract: ClassVar[str]
    contract_version: ClassVar[int] = 1


class RecordedEffect(Given):
    """An effect as the execution recorded it; `id` is stable, so that a receiver can tell a repeat."""

    id: str
    contract: str
    contract_version: int
    payload: dict[str, JsonValue]
