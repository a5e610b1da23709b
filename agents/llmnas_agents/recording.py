"""A search by a language model as one file: what was asked for, what the model answered, and what came out.

Whoever has it runs the search again, without a key and without the model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmnas_agents.laboratory import LaboratoryClient
from llmnas_agents.llm import replayed
from llmnas_agents.llm.exchanges import Exchanges
from llmnas_agents.operators import LANGUAGE
from llmnas_mcp import results as r
from llmnas_mcp.errors import DataError, LabError

SETTINGS = (
    "space",
    "dataset",
    "device",
    "objective",
    "max_cost",
    "evaluations",
    "rounds",
    "offspring",
    "seed",
    "operator",
)
MOST_BYTES = 200_000_000


class Exchange(BaseModel):
    """One answer, where it belongs, and the hash of the prompt it was given to."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    round: int = Field(ge=1)
    niche: int = Field(ge=0)
    role: str
    attempt: int = Field(ge=0)
    model: str
    prompt_sha256: str
    reply: str
    end: Literal["done", "length", "refusal"]
    input_tokens: int
    output_tokens: int
    cache_write_tokens: int
    cache_read_tokens: int
    cost_microusd: int
    seconds: float


class Recording(BaseModel):
    """Settings as start_search takes them, the exchanges in the order they were made, and the front they led to."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    settings: dict[str, Any]
    exchanges: list[Exchange]
    front: list[r.FrontPoint]
    hypervolume: float

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
        settings={name: getattr(search, name) for name in SETTINGS} | {"niches": len(search.niches)},
        exchanges=[Exchange(**row) for row in exchanges.all(tuple(Exchange.model_fields))],
        front=front.front,
        hypervolume=front.hypervolume,
    )


def read(path: Path) -> Recording:
    """A recording from its file. Raises DataError that says what is wrong with it."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} is larger than {MOST_BYTES / 1e6:g} MB: that is no recording.")
        return Recording.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"Cannot read {path} ({error.strerror}).") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise DataError(
            f"{path} is no recording of a search ({where}: {first['msg']}). `llmnas search --out DIR` leaves one in DIR"
            " when its operator asks a model."
        ) from error


async def replay(recording: Recording, lab: LaboratoryClient, store: str, listen: Any) -> tuple[dict[str, Any], int]:
    """Search again in `lab`, whose searches are in `store`, by the recorded answers.

    Returns what is in front.json, and how many prompts differ from those the answers were given to. Raises LabError
    when the recording is of an operator that asks no model.
    """
    from llmnas_agents import runner

    operator = recording.settings.get("operator")
    if operator not in LANGUAGE:
        raise LabError(f"A search by {operator!r} asked no model: run it again with llmnas search.")
    started = await lab.start_search(**recording.settings)
    with replayed([exchange.model_dump() for exchange in recording.exchanges], store) as correspondent:
        front = await runner.run(lab, started.search_id, store, None, listen, replayed=correspondent)
    return front, correspondent.changed
