"""The arguments that tools share, called and described the same everywhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from llmnas_mcp.results import Objective
from llmnas_mcp.search.instruments import MOST_ARCHITECTURES

# The limit is in the schema for the reader; the laboratory checks it, with an error that says what to do.
Architectures = Annotated[list[str], Field(json_schema_extra={"maxItems": MOST_ARCHITECTURES})]
Format = Literal["torch", "onnx", "executorch"]  # each is one file; OpenVINO reads onnx
Architecture = Annotated[str, Field(max_length=2000)]
Space = str
Dataset = Annotated[str | None, Field(description="of list_spaces; default: first")]
Device = Annotated[str | None, Field(description="see list_devices; none for macs and params")]
Objectives = Annotated[Objective | list[Objective], Field(description="one, or a list of two")]
Most = Annotated[float | None, Field(gt=0)]
SearchId = str
Niche = Annotated[int, Field(ge=0)]
Round = Annotated[int | None, Field(ge=1, le=1_000_000, description="default: under way")]
Proxies = Annotated[list[str] | None, Field(description="zen, zico, ...; those no atlas has are measured live")]
Limit = Annotated[int, Field(ge=1, le=200)]
Offset = Annotated[int, Field(ge=0, le=1_000_000_000)]
