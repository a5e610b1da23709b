"""How a plain function becomes a tool: its errors readable, its schemas short, its unknown arguments refused."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any, Literal

from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, ContentBlock, ResourceLink, TextContent, ToolAnnotations
from pydantic import ValidationError

from llmnas_mcp.errors import LabError, UnknownNameError
from llmnas_mcp.results import Result
from llmnas_mcp.server.answers import text_of
from llmnas_mcp.spaces import Space

# What a tool does to the world: only looks; adds what was not there, doing it twice changes nothing; or begins anew.
Effect = Literal["reads", "adds", "starts"]


STORED = 1_000_000  # from here on, limits of numbers are for the store's sake


class Toolbox:
    """Collects the tools of the server; `space_of` tells the space that a tool's arguments are about, None for none."""

    def __init__(self, space_of: Callable[[dict[str, Any]], Space | None] = lambda _: None) -> None:
        self._space_of = space_of
        self.tools: list[Tool] = []
        self.long: set[str] = set()

    def tool(
        self, title: str, effect: Effect = "reads", long: bool = False
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register the decorated function under its own name; its docstring is what a model reads.

        A `long` one can take over a second: it reports progress, and goes on as a task where the client knows tasks.
        """

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            annotations = ToolAnnotations(
                read_only_hint=effect == "reads",
                destructive_hint=False,
                idempotent_hint=effect != "starts",
                open_world_hint=False,
            )
            tool = ReadableTool.from_function(
                self._answering(function), title=title, description=inspect.getdoc(function), annotations=annotations
            )
            arguments = tool.fn_metadata.arg_model
            arguments.model_config["extra"] = "forbid"
            arguments.model_rebuild(force=True)
            tool.parameters = _short(arguments.model_json_schema(by_alias=True))
            if tool.fn_metadata.output_schema is not None:
                tool.fn_metadata.output_schema = _short(tool.fn_metadata.output_schema, closed=False)
            self.tools.append(tool)
            if long:
                self.long.add(tool.name)
            return function

        return register

    def _answering(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with a text for models beside its structured answer, and errors that they can read."""

        @functools.wraps(function)
        def call(**arguments: Any) -> Any:
            try:
                found = function(**arguments)
            except LabError as error:
                # Only a ToolError's text reaches the model; any other exception is a bug and stays in the log.
                raise ToolError(str(error)) from error
            if not isinstance(found, Result):
                return found
            structured = found.model_dump(mode="json")
            text = text_of(structured, self._space_of(arguments))
            content: list[ContentBlock] = [TextContent(type="text", text=text)]
            if uri := structured.get("uri"):
                content.append(
                    ResourceLink(type="resource_link", uri=uri, name=uri.rpartition("/")[2], size=structured["bytes"])
                )
            return CallToolResult(content=content, structured_content=structured)

        return call

    def chosen(self, read_only: bool, only: Collection[str] | None) -> list[Tool]:
        """The tools, without those that write when `read_only`, and of `only` these when given.

        Raises UnknownNameError for a name that is no tool's, LabError where none is left.
        """
        names = [tool.name for tool in self.tools]
        for name in only or ():
            if name not in names:
                raise UnknownNameError("tool", name, names)
        allowed = [t for t in self.tools if not read_only or (t.annotations and t.annotations.read_only_hint)]
        chosen = [tool for tool in allowed if only is None or tool.name in only]
        if not chosen:
            why = "--read-only leaves out all that --tools names" if only else "--tools names none"
            raise LabError(f"No tool is left: {why}. Allowed: {', '.join(sorted(tool.name for tool in allowed))}.")
        return chosen


class ReadableTool(Tool):
    """A tool that tells of wrong arguments by their names, not in the words of a validation library."""

    async def run(self, arguments: dict[str, Any], context: Any, convert_result: bool = False) -> Any:
        """Check the arguments, then run; raises ToolError with what is wrong and what is allowed."""
        try:
            self.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            raise ToolError(_wrong_arguments(self.name, error, list(self.parameters["properties"]))) from error
        return await super().run(arguments, context, convert_result)


def _wrong_arguments(tool: str, error: ValidationError, known: list[str]) -> str:
    told = []
    for problem in error.errors(include_url=False):
        name = repr(".".join(map(str, problem["loc"])))[1:-1][:100]  # keys of a client's own may hold anything
        if problem["type"] == "extra_forbidden" and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            told.append(f"there is no argument {name[:40]!r}" + (f", did you mean {near[0]!r}?" if near else ""))
        else:
            told.append(f"{name}: {problem['msg'][0].lower()}{problem['msg'][1:]} (got {str(problem['input'])[:60]!r})")
    return f"{tool}: {'; '.join(told[:5])}. Arguments: {', '.join(known) or 'none'}."


def _short(schema: dict[str, Any], closed: bool = True) -> dict[str, Any]:
    """A JSON schema in half the length and quicker to check by: definitions inlined, made-up titles left out.

    pydantic's titles and docstrings say what the names say. A schema of results is not closed (`closed` false): a field
    more in a later version breaks no client. Nor does it say what is always there, which is every field: the lists of
    them would be a tenth of what a model reads before it begins. An argument that need not be given is not `required`;
    that its default is null or empty says no more. Nor do limits that only keep numbers small enough to be stored.
    """
    definitions = schema.get("$defs", {})
    left_out = ("$defs", "$ref", "title", "propertyNames", *(() if closed else ("required", "default")))

    def walk(part: Any) -> Any:
        if isinstance(part, list):
            return [walk(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            part = {**definitions[part["$ref"].removeprefix("#/$defs/")], **part}
        short: dict[str, Any] = {}
        of_object = "properties" in part
        for key, value in part.items():
            if key == "properties":
                short[key] = {name: walk(one) for name, one in value.items()}
            elif key in left_out or (key == "description" and of_object) or _says_nothing(key, value):
                continue
            elif closed or key != "additionalProperties" or value is not False:
                short[key] = walk(value)
        options = short.get("anyOf", [])
        # Not in arguments, which clients hand on to models whose schemas know no list of types.
        if not closed and options and all(set(option) == {"type"} for option in options):
            return {**{k: v for k, v in short.items() if k != "anyOf"}, "type": [o["type"] for o in options]}
        return short

    found: dict[str, Any] = walk(schema)
    return found


def _says_nothing(key: str, value: Any) -> bool:
    return (key == "default" and value in (None, {}, [])) or (key in ("minimum", "maximum") and abs(value) >= STORED)
