"""What the conformance suite asks a server for by name, made by our own means and added to the laboratory's server.

The names, texts and schemas are the suite's: each of its scenarios says what it wants.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.types import Audio, Image
from mcp.types import (
    Completion,
    EmbeddedResource,
    EmptyResult,
    InputRequiredResult,
    SetLevelRequestParams,
    TextContent,
    TextResourceContents,
)
from pydantic import Field

from llmnas_mcp.errors import LabError
from llmnas_mcp.server.prompts import ReadablePrompt
from llmnas_mcp.server.toolbox import Toolbox
from tests.server.conformance import asking

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
WAV = (
    b"RIFF"
    + (36).to_bytes(4, "little")
    + b"WAVEfmt "
    + bytes.fromhex("10000000010001001127000011270000010008006461746100000000")
)


def tools() -> list[Tool]:
    """The tools, for `create_app(more_tools=...)`."""
    box = Toolbox()
    for group in (_contents, _reports, asking.questions, asking.rounds, _changes):
        group(box)
    return box.tools


def add_rest(app: MCPServer) -> None:
    """Add resources, prompts, completion, and what only clients before 2026-07-28 ask for."""
    _resources(app)
    _prompts(app)
    _old_requests(app)

    @app.completion()
    async def complete(*_: Any) -> Completion:
        return Completion(values=["paris", "park", "party"], total=3, has_more=False)


def _contents(box: Toolbox) -> None:
    @box.tool("Text")
    def test_simple_text() -> str:
        """Text."""
        return "This is a simple text response for testing."

    @box.tool("Image")
    def test_image_content() -> Image:
        """An image."""
        return Image(data=PNG, format="png")

    @box.tool("Audio")
    def test_audio_content() -> Audio:
        """A sound."""
        return Audio(data=WAV, format="wav")

    @box.tool("Embedded resource")
    def test_embedded_resource() -> EmbeddedResource:
        """A resource."""
        return _embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")

    @box.tool("Several kinds of content")
    def test_multiple_content_types() -> list[TextContent | Image | EmbeddedResource]:
        """Text, an image and a resource."""
        data = json.dumps({"test": "data", "value": 123})
        return [
            TextContent(type="text", text="Multiple content types test:"),
            Image(data=PNG, format="png"),
            _embedded("test://mixed-content-resource", "application/json", data),
        ]

    @box.tool("Error")
    def test_error_handling() -> str:
        """An error that a caller can act on."""
        raise LabError("This tool intentionally returns an error for testing")

    @box.tool("Headers")
    def test_headers(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
        """An argument that a client repeats in a header."""
        return region


def _reports(box: Toolbox) -> None:
    @box.tool("Progress")
    def test_tool_with_progress(ctx: Context) -> str:
        """Three reports of progress."""
        for done in (0, 50, 100):
            asking.wait(ctx.report_progress, done, 100)
        return "done"

    def log(ctx: Context) -> str:
        for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            asking.wait(ctx.info, text)
        return "done"

    @box.tool("Log")
    def test_tool_with_logging(ctx: Context) -> str:
        """Three lines of log."""
        return log(ctx)

    @box.tool("Log, unless nobody asked")
    def test_logging_tool(ctx: Context) -> str:
        """Three lines of log that a client of 2026-07-28 has to ask for."""
        return log(ctx)


def _changes(box: Toolbox) -> None:
    @box.tool("Tell of changed tools")
    def test_trigger_tool_change(ctx: Context) -> str:
        """Tells who listens that tools have changed."""
        asking.wait(ctx.notify_tools_changed)
        return "told"

    @box.tool("Tell of changed prompts")
    def test_trigger_prompt_change(ctx: Context) -> str:
        """Tells who listens that prompts have changed."""
        asking.wait(ctx.notify_prompts_changed)
        return "told"


def _resources(app: MCPServer) -> None:
    @app.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """Text."""
        return "This is the content of the static text resource."

    @app.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """An image."""
        return PNG

    @app.resource("test://watched-resource", mime_type="text/plain")
    def watched_resource() -> str:
        """Text that a client may watch."""
        return "This is watched."

    @app.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:  # noqa: A002 - the name in the URI
        """Data by name."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def _prompts(app: MCPServer) -> None:
    def test_simple_prompt() -> str:
        """Text."""
        return "This is a simple prompt for testing."

    def test_prompt_with_arguments(
        arg1: Annotated[str, Field(description="First test argument")],
        arg2: Annotated[str, Field(description="Second test argument")],
    ) -> str:
        """Text with arguments filled in."""
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    def test_prompt_with_embedded_resource(
        resourceUri: Annotated[str, Field(description="URI of the resource to embed")],  # noqa: N803 - the suite's name
    ) -> list[UserMessage]:
        """A resource and text."""
        resource = _embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [UserMessage(resource), UserMessage("Please process the embedded resource above.")]

    def test_prompt_with_image() -> list[UserMessage]:
        """An image and text."""
        return [UserMessage(Image(data=PNG, format="png")), UserMessage("Please analyze the image above.")]

    def test_input_required_result_prompt(ctx: Context) -> str | InputRequiredResult:
        """Text about what the user says."""
        given = asking.filled_in(ctx, "user_context", "context")
        return given or asking.needed(
            user_context=asking.form("What context should the prompt use?", context=asking.NAME)
        )

    for prompt in (
        test_simple_prompt,
        test_prompt_with_arguments,
        test_prompt_with_embedded_resource,
        test_prompt_with_image,
        test_input_required_result_prompt,
    ):
        app.add_prompt(ReadablePrompt.from_function(prompt))


def _old_requests(app: MCPServer) -> None:
    """Log levels of 2025-11-25, which the library leaves to its lower half."""

    async def done(*_: Any) -> EmptyResult:
        return EmptyResult()

    app._lowlevel_server.add_request_handler("logging/setLevel", SetLevelRequestParams, done)


def _embedded(uri: str, kind: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=kind, text=text))
