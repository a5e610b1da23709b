"""What a language model is asked for: the schemas of its answers. Nothing that does not fit is looked at."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model, field_validator

from llmnas_mcp import results as r

MOST_EDITS = 6
MOST_DESIGNS = 30  # that one answer has room for; what a share has beyond is bred


def _one_line(text: str) -> str:
    """What later stands in a line of a prompt must not look like a line of its own."""
    if not text.isprintable():
        raise ValueError("must be one line of printable text")
    return text


Line = Annotated[str, AfterValidator(_one_line)]


class Answer(BaseModel):
    """What a model is asked for; nothing more may be in it."""

    model_config = ConfigDict(extra="forbid")


class Choice(Answer):
    """A value at a position."""

    position: str
    value: str


class Edit(Answer):
    """One change of the rules."""

    action: Literal["add", "revise", "retire"]
    rule_id: str | None = Field(max_length=40, description="null to add")
    statement: Line = Field(max_length=200, description="one sentence")
    pattern: list[Choice] = Field(max_length=3)
    target: r.Target
    effect: float | None = Field(ge=-1e6, le=1e6)
    confidence: float = Field(ge=0, le=1)
    evidence: list[int] = Field(max_length=4, description="numbers of members")

    @field_validator("pattern")
    @classmethod
    def _each_position_once(cls, pattern: list[Choice]) -> list[Choice]:
        if len({choice.position for choice in pattern}) < len(pattern):
            raise ValueError("must have each position once")
        return pattern


class Reasoning(Answer):
    """What follows from the results."""

    edits: list[Edit]


class Proposal(Answer):
    """One new architecture and where it comes from."""

    operator: Literal["mutation", "crossover", "fresh"]
    parents: list[int] = Field(max_length=2, description="numbers of parents")
    architecture: str
    reason: Line = Field(max_length=160, description="one sentence")


class Design(Answer):
    """New architectures."""

    offspring: list[Proposal]


@lru_cache(maxsize=256)
def reasoning_of(positions: tuple[str, ...], values: tuple[str, ...], targets: tuple[str, ...]) -> type[Reasoning]:
    """The schema of edits: the same in every call, for a provider's cache holds a schema too."""
    one_of: Any = Literal  # made of values only known here
    choice: Any = create_model("Where", __base__=Choice, position=(one_of[positions], ...), value=(one_of[values], ...))
    pattern: Any = (list[choice], Field(max_length=3))
    edit: Any = create_model("Change", __base__=Edit, pattern=pattern, target=(one_of[targets], ...))
    return create_model("Reasoning", __base__=Reasoning, edits=(list[edit], Field(max_length=MOST_EDITS)))


@lru_cache(maxsize=256)
def design_of(
    example: str, values: tuple[str, ...], positions: tuple[str, ...], most: int = MOST_DESIGNS, least: int = 0
) -> type[Design]:
    """The schema of at most `most` architectures written like the example.

    Where that names its positions, which of them there are is left open. `least` is asked for in the schema and not
    enforced: fewer are better than none.

    >>> schema = design_of("|a~0|+|b~1|", ("a", "b"), (), 2).model_json_schema()
    >>> print(schema["$defs"]["Written"]["properties"]["architecture"]["pattern"])
    ^\\|(a|b)\\~0\\|\\+\\|(a|b)\\~1\\|$
    >>> schema = design_of("d=1,k=3", ("1", "3"), ("d", "k"), 2).model_json_schema()
    >>> print(schema["$defs"]["Written"]["properties"]["architecture"]["pattern"])
    ^(d|k)=(1|3)(,(d|k)=(1|3))*$
    """
    choice = "|".join(map(re.escape, values))
    if "=" in example:
        pair = f"({'|'.join(map(re.escape, positions))})=({choice})"
        pattern = f"^{pair}(,{pair})*$"
    else:
        parts = re.split(f"(?:{choice})", example)
        pattern = "^" + f"({choice})".join(map(re.escape, parts)) + "$"
    written: Any = create_model(
        "Written", __base__=Proposal, architecture=(str, Field(pattern=pattern, max_length=1000))
    )
    many = Field(max_length=most, json_schema_extra={"minItems": least} if least else None)
    return create_model("Design", __base__=Design, offspring=(list[written], many))
