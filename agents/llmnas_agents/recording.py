"""A search by a language model as one file: what was asked for, what the model answered, and what came out.

Whoever has it runs the search again, without a key and without the model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from llmnas_agents.laboratory import LaboratoryClient
from llmnas_agents.llm.exchanges import Exchanges
from llmnas_agents.prompts import one_line
from llmnas_mcp import results as r
from llmnas_mcp.errors import DataError

MOST_BYTES = 200_000_000


Count = Annotated[int, Field(ge=0, lt=2**63)]
Number = Annotated[int, Field(ge=0, lt=2**31)]


class Settings(BaseModel):
    """How the search was started; the laboratory checks what the settings mean."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    space: str
    dataset: str
    device: str | None
    objectives: list[str]
    limits: dict[str, float]
    evaluations: int
    rounds: int | None
    offspring: int
    seed: int
    operator: str
    niches: int

    def asked(self) -> dict[str, Any]:
        """The arguments of start_search."""
        same = self.model_dump(exclude={"objectives", "limits"})
        return {**same, "objective": self.objectives, **{f"max_{name}": limit for name, limit in self.limits.items()}}


class Exchange(BaseModel):
    """One answer, where it belongs, and the hash of the prompt it was given to."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    round: Number
    niche: Number
    role: Literal["reason", "design"]
    attempt: Literal[0, 1]
    model: str = Field(max_length=80)
    prompt_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    reply: str
    end: Literal["done", "length", "refusal"]
    input_tokens: Count
    output_tokens: Count
    cache_write_tokens: Count
    cache_read_tokens: Count
    cost_microusd: Count
    seconds: float = Field(ge=0)


class Recording(BaseModel):
    """Settings as start_search takes them, the exchanges in the order they were made, and the front they led to."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    settings: Settings
    exchanges: list[Exchange]
    front: list[r.FrontPoint]
    hypervolume: float = Field(ge=0, le=1)

    @field_validator("exchanges")
    @classmethod
    def _each_place_once(cls, exchanges: list[Exchange]) -> list[Exchange]:
        places = {(e.round, e.niche, e.role, e.attempt) for e in exchanges}
        if len(places) < len(exchanges):
            raise ValueError("two answers have the same place")
        return exchanges

    def bytes(self) -> bytes:
        """The content of a file: an exchange a line."""
        whole = self.model_dump(mode="json")
        lines = ",\n".join(json.dumps(exchange) for exchange in whole.pop("exchanges"))
        head = json.dumps(whole)[:-1]
        return f'{head}, "exchanges": [\n{lines}\n]}}\n'.encode()


async def record(lab: LaboratoryClient, search: r.Search, exchanges: Exchanges) -> Recording:
    """What a store holds of a search, as it stands."""
    front = await lab.compute_pareto_front(search.search_id)
    return Recording(
        settings=Settings(
            **{name: getattr(search, name) for name in Settings.model_fields if name != "niches"},
            niches=len(search.niches),
        ),
        exchanges=[Exchange(**row) for row in exchanges.all(tuple(Exchange.model_fields))],
        front=front.front,
        hypervolume=front.hypervolume,
    )


def read(path: Path) -> Recording:
    """A recording from its file. Raises DataError that says what is wrong with it."""
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path} is no file.")
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} is larger than {MOST_BYTES / 1e6:g} MB: that is no recording.")
        return Recording.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"Cannot read {path} ({error.strerror}).") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = one_line(".".join(map(str, first["loc"])))[:80] or "it"
        raise DataError(
            f"{path} is no recording of a search ({where}: {first['msg']}). `llmnas search --out DIR` leaves one in DIR"
            " when its operator asks a model."
        ) from error
