"""Effects: typed descriptions of what is to be done outside once a mutation was executed."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from governance.domain.frozen_json import JsonObject
from governance.domain.values import Given, Value


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
    payload: JsonObject


class EffectProgress(Value):
    """How far the delivery of one effect has come; `attempts` counts from the beginning, or from the last retry."""

    effect_id: str
    status: Literal["waiting", "retrying", "parked", "delivered", "dropped"] = "waiting"
    attempts: int = 0
    retry_at: datetime | None = None
    error: str | None = None
