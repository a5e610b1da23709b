"""How a plain function becomes a tool: its errors readable, its schemas short, its unknown arguments refused."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations

from llmnas_mcp.errors import LabError

# What a tool does to the world: only looks; adds what was not there, doing it twice changes nothing; or begins anew.
Effect = Literal["reads", "adds", "starts"]


class Toolbox:
    """Collects the tools of the server."""

    def __init__(self) -> None:
        self.tools: list[Tool] = []

    def tool(self, title: str, effect: Effect = "reads") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register the decorated function under its own name; its docstring is what a model reads."""

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            annotations = ToolAnnotations(
                read_only_hint=effect == "reads",
                destructive_hint=False,
                idempotent_hint=effect != "starts",
                open_world_hint=False,
            )
            tool = Tool.from_function(_with_readable_errors(function), title=title, annotations=annotations)
            arguments = tool.fn_metadata.arg_model
            arguments.model_config["extra"] = "forbid"
            arguments.model_rebuild(force=True)
            tool.parameters = _without_titles(arguments.model_json_schema(by_alias=True))
            if tool.fn_metadata.output_schema is not None:
                tool.fn_metadata.output_schema = _without_titles(tool.fn_metadata.output_schema, closed=False)
            self.tools.append(tool)
            return function

        return register


def _with_readable_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except LabError as error:
            # Only a ToolError's text reaches the model; any other exception is a bug and stays in the log.
            raise ToolError(str(error)) from error

    return call


def _without_titles(schema: Any, closed: bool = True) -> Any:
    """A JSON schema without the titles and docstrings pydantic makes up from names: a third of its length.

    A schema of results is not closed either: a field more in a later version breaks no client.
    """
    if isinstance(schema, list):
        return [_without_titles(item, closed) for item in schema]
    if not isinstance(schema, dict):
        return schema
    short = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            short[key] = {name: _without_titles(part, closed) for name, part in value.items()}
        elif key == "title" or (key == "description" and "properties" in schema):
            continue
        elif closed or value is not False or key != "additionalProperties":
            short[key] = _without_titles(value, closed)
    return short
