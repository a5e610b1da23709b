"""What the conformance suite asks a server for by name, made by our own means and added to the laboratory's server.

The names, texts and schemas are the suite's: each of its scenarios says what it wants.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Annotated, Any

import anyio.from_thread
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.types import Audio, Image
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    Completion,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    EmptyResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import Field

from llmnas_mcp.errors import LabError
from llmnas_mcp.server.prompts import ReadablePrompt
from llmnas_mcp.server.toolbox import Toolbox

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
NAME = {"type": "string"}


def tools() -> list[Tool]:
    """The tools, for `create_app(more_tools=...)`."""
    box = Toolbox()
    for group in (_contents, _reports, _questions, _rounds, _changes):
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
            _wait(ctx.report_progress, done, 100)
        return "done"

    def log(ctx: Context) -> str:
        for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            _wait(ctx.info, text)
        return "done"

    @box.tool("Log")
    def test_tool_with_logging(ctx: Context) -> str:
        """Three lines of log."""
        return log(ctx)

    @box.tool("Log, unless nobody asked")
    def test_logging_tool(ctx: Context) -> str:
        """Three lines of log that a client of 2026-07-28 has to ask for."""
        return log(ctx)


def _questions(box: Toolbox) -> None:
    """Requests in the midst of a call, as they were until 2025-11-25."""

    def ask(ctx: Context, message: str, properties: dict[str, Any], required: list[str]) -> str:
        schema = {"type": "object", "properties": properties, "required": required}
        answer = _wait(ctx.session.elicit_form, message, schema, related_request_id=ctx.request_id)
        return f"action={answer.action}, content={json.dumps(answer.content)}"

    @box.tool("Ask the client's model")
    def test_sampling(ctx: Context, prompt: str) -> str:
        """What the client's model says."""
        answer = _wait(
            ctx.session.create_message, messages=_said(prompt), max_tokens=100, related_request_id=ctx.request_id
        )
        return f"LLM response: {answer.content.text}"

    @box.tool("Ask the user")
    def test_elicitation(ctx: Context, message: str) -> str:
        """What the user says."""
        asked = {
            "username": {"type": "string", "description": "User's response"},
            "email": {"type": "string", "description": "User's email address"},
        }
        return f"User response: {ask(ctx, message, asked, list(asked))}"

    @box.tool("Ask with defaults")
    def test_elicitation_sep1034_defaults(ctx: Context) -> str:
        """A default of every primitive type."""
        asked = {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": True},
        }
        return f"Elicitation completed: {ask(ctx, 'Please check.', asked, [])}"

    @box.tool("Ask with choices")
    def test_elicitation_sep1330_enums(ctx: Context) -> str:
        """Every way to offer choices."""
        plain = {"type": "string", "enum": ["option1", "option2", "option3"]}
        titled = [
            {"const": f"value{n}", "title": f"{nth} Option"} for n, nth in enumerate(("First", "Second", "Third"), 1)
        ]
        names = ["Option One", "Option Two", "Option Three"]
        asked = {
            "untitledSingle": plain,
            "titledSingle": {"type": "string", "oneOf": titled},
            "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": names},
            "untitledMulti": {"type": "array", "items": plain},
            "titledMulti": {"type": "array", "items": {"anyOf": titled}},
        }
        return f"Elicitation completed: {ask(ctx, 'Please choose.', asked, [])}"


def _rounds(box: Toolbox) -> None:
    """Questions as results, which the client answers by calling again, as they are since 2026-07-28."""

    def name(ctx: Context) -> str | InputRequiredResult:
        given = _given(ctx, "user_name", "name")
        return f"Hello, {given}!" if given else _needed(user_name=_form("What is your name?", name=NAME))

    @box.tool("Ask the user, in rounds")
    def test_input_required_result_elicitation(ctx: Context) -> str | InputRequiredResult:
        """Greets by name."""
        return name(ctx)

    @box.tool("Ask the user, with nothing else on the stream")
    def test_streaming_elicitation(ctx: Context) -> str | InputRequiredResult:
        """Greets by name."""
        return name(ctx)

    @box.tool("Ask the client's model, in rounds")
    def test_input_required_result_sampling(ctx: Context) -> str | InputRequiredResult:
        """What the client's model says."""
        answer = _answer(ctx, "capital_question")
        if isinstance(answer, CreateMessageResult) and isinstance(answer.content, TextContent):
            return answer.content.text
        return _needed(capital_question=_sample("What is the capital of France?", 100))

    @box.tool("Ask for roots, in rounds")
    def test_input_required_result_list_roots(ctx: Context) -> str | InputRequiredResult:
        """The client's roots."""
        answer = _answer(ctx, "client_roots")
        if isinstance(answer, ListRootsResult):
            return ", ".join(str(root.uri) for root in answer.roots)
        return _needed(client_roots=ListRootsRequest())

    @box.tool("Remember by state")
    def test_input_required_result_request_state(ctx: Context) -> str | InputRequiredResult:
        """Confirms that the state came back."""
        return confirm(ctx)

    @box.tool("Refuse a changed state")
    def test_input_required_result_tampered_state(ctx: Context) -> str | InputRequiredResult:
        """Confirms that the state came back unchanged."""
        return confirm(ctx)

    def confirm(ctx: Context) -> str | InputRequiredResult:
        if _answer(ctx, "confirm") is not None and ctx.request_state is not None:
            if ctx.request_state != "asked":
                raise MCPError(INVALID_PARAMS, "This is not the state that was given.")
            return "state-ok"
        return _needed("asked", confirm=_form("Please confirm", ok={"type": "boolean"}))

    @box.tool("Ask for several things at once")
    def test_input_required_result_multiple_inputs(ctx: Context) -> str | InputRequiredResult:
        """A greeting, by the client's model, for the user, at the client's roots."""
        keys = ("user_name", "greeting", "client_roots")
        if all(_answer(ctx, key) is not None for key in keys):
            return "all there"
        return _needed(
            "asked",
            user_name=_form("What is your name?", name=NAME),
            greeting=_sample("Generate a greeting", 50),
            client_roots=ListRootsRequest(),
        )

    @box.tool("Ask twice")
    def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
        """A name, then a colour."""
        name, colour = _given(ctx, "step1", "name"), _given(ctx, "step2", "color")
        if colour and ctx.request_state:
            return f"{ctx.request_state} likes {colour}"
        if name:
            return _needed(name, step2=_form("Step 2: What is your favorite color?", color=NAME))
        return _needed("step1", step1=_form("Step 1: What is your name?", name=NAME))

    @box.tool("Ask only what the client can answer")
    def test_input_required_result_capabilities(ctx: Context) -> str | InputRequiredResult:
        """Asks by the means that the client has declared."""
        can = ctx.client_capabilities
        asked: dict[str, InputRequest] = {}
        if can and can.elicitation:
            asked["name"] = _form("What is your name?", name=NAME)
        if can and can.sampling:
            asked["greeting"] = _sample("Generate a greeting", 50)
        return _needed(**asked) if asked and not ctx.input_responses else "done"

    @box.tool("Need what the client lacks")
    def test_missing_capability(ctx: Context) -> str:
        """Needs the client's model."""
        if not (ctx.client_capabilities and ctx.client_capabilities.sampling):
            missing = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "This needs the client's model.", missing)
        return "done"


def _changes(box: Toolbox) -> None:
    @box.tool("Tell of changed tools")
    def test_trigger_tool_change(ctx: Context) -> str:
        """Tells who listens that tools have changed."""
        _wait(ctx.notify_tools_changed)
        return "told"

    @box.tool("Tell of changed prompts")
    def test_trigger_prompt_change(ctx: Context) -> str:
        """Tells who listens that prompts have changed."""
        _wait(ctx.notify_prompts_changed)
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
        given = _given(ctx, "user_context", "context")
        return given or _needed(user_context=_form("What context should the prompt use?", context=NAME))

    for prompt in (
        test_simple_prompt,
        test_prompt_with_arguments,
        test_prompt_with_embedded_resource,
        test_prompt_with_image,
        test_input_required_result_prompt,
    ):
        app.add_prompt(ReadablePrompt.from_function(prompt))


def _old_requests(app: MCPServer) -> None:
    """Subscriptions and log levels of 2025-11-25, which the library leaves to its lower half."""

    async def done(*_: Any) -> EmptyResult:
        return EmptyResult()

    lower = app._lowlevel_server
    lower.add_request_handler("logging/setLevel", SetLevelRequestParams, done)
    lower.add_request_handler("resources/subscribe", SubscribeRequestParams, done)
    lower.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, done)


def _wait(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What an asynchronous function gives, in the worker thread that a tool runs in."""
    return anyio.from_thread.run(functools.partial(function, *args, **kwargs))


def _embedded(uri: str, kind: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=kind, text=text))


def _said(text: str) -> list[SamplingMessage]:
    return [SamplingMessage(role="user", content=TextContent(type="text", text=text))]


def _form(message: str, **properties: Any) -> ElicitRequest:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sample(text: str, tokens: int) -> CreateMessageRequest:
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=_said(text), max_tokens=tokens))


def _needed(state: str | None = None, /, **requests: InputRequest) -> InputRequiredResult:
    return InputRequiredResult(input_requests=requests, request_state=state)


def _answer(ctx: Context, key: str) -> Any:
    return (ctx.input_responses or {}).get(key)


def _given(ctx: Context, key: str, field: str) -> str | None:
    """What the user filled in, if they did."""
    answer = _answer(ctx, key)
    return str((answer.content or {}).get(field) or "") or None if isinstance(answer, ElicitResult) else None
