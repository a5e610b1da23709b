"""Fixtures that ask the client something: while a call waits (before 2026-07-28), or by an answer that needs input."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import anyio.from_thread
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

from llmnas_mcp.server.toolbox import Toolbox

NAME = {"type": "string"}


def questions(box: Toolbox) -> None:
    """Requests in the midst of a call, as they were until 2025-11-25."""

    def ask(ctx: Context, message: str, properties: dict[str, Any], required: list[str]) -> str:
        schema = {"type": "object", "properties": properties, "required": required}
        answer = wait(ctx.session.elicit_form, message, schema, related_request_id=ctx.request_id)
        return f"action={answer.action}, content={json.dumps(answer.content)}"

    @box.tool("Ask the client's model")
    def test_sampling(ctx: Context, prompt: str) -> str:
        """What the client's model says."""
        answer = wait(
            ctx.session.create_message, messages=said(prompt), max_tokens=100, related_request_id=ctx.request_id
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


def rounds(box: Toolbox) -> None:
    """Questions as results, which the client answers by calling again, as they are since 2026-07-28."""

    def name(ctx: Context) -> str | InputRequiredResult:
        given = filled_in(ctx, "user_name", "name")
        return f"Hello, {given}!" if given else needed(user_name=form("What is your name?", name=NAME))

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
        answer = answer_of(ctx, "capital_question")
        if isinstance(answer, CreateMessageResult) and isinstance(answer.content, TextContent):
            return answer.content.text
        return needed(capital_question=sample("What is the capital of France?", 100))

    @box.tool("Ask for roots, in rounds")
    def test_input_required_result_list_roots(ctx: Context) -> str | InputRequiredResult:
        """The client's roots."""
        answer = answer_of(ctx, "client_roots")
        if isinstance(answer, ListRootsResult):
            return ", ".join(str(root.uri) for root in answer.roots)
        return needed(client_roots=ListRootsRequest())

    @box.tool("Remember by state")
    def test_input_required_result_request_state(ctx: Context) -> str | InputRequiredResult:
        """Confirms that the state came back."""
        return confirm(ctx)

    @box.tool("Refuse a changed state")
    def test_input_required_result_tampered_state(ctx: Context) -> str | InputRequiredResult:
        """Confirms that the state came back unchanged."""
        return confirm(ctx)

    def confirm(ctx: Context) -> str | InputRequiredResult:
        if answer_of(ctx, "confirm") is not None and ctx.request_state is not None:
            if ctx.request_state != "asked":
                raise MCPError(INVALID_PARAMS, "This is not the state that was given.")
            return "state-ok"
        return needed("asked", confirm=form("Please confirm", ok={"type": "boolean"}))

    @box.tool("Ask for several things at once")
    def test_input_required_result_multiple_inputs(ctx: Context) -> str | InputRequiredResult:
        """A greeting, by the client's model, for the user, at the client's roots."""
        keys = ("user_name", "greeting", "client_roots")
        if all(answer_of(ctx, key) is not None for key in keys):
            return "all there"
        return needed(
            "asked",
            user_name=form("What is your name?", name=NAME),
            greeting=sample("Generate a greeting", 50),
            client_roots=ListRootsRequest(),
        )

    @box.tool("Ask twice")
    def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
        """A name, then a colour."""
        name, colour = filled_in(ctx, "step1", "name"), filled_in(ctx, "step2", "color")
        if colour and ctx.request_state:
            return f"{ctx.request_state} likes {colour}"
        if name:
            return needed(name, step2=form("Step 2: What is your favorite color?", color=NAME))
        return needed("step1", step1=form("Step 1: What is your name?", name=NAME))

    @box.tool("Ask only what the client can answer")
    def test_input_required_result_capabilities(ctx: Context) -> str | InputRequiredResult:
        """Asks by the means that the client has declared."""
        can = ctx.client_capabilities
        asked: dict[str, InputRequest] = {}
        if can and can.elicitation:
            asked["name"] = form("What is your name?", name=NAME)
        if can and can.sampling:
            asked["greeting"] = sample("Generate a greeting", 50)
        return needed(**asked) if asked and not ctx.input_responses else "done"

    @box.tool("Need what the client lacks")
    def test_missing_capability(ctx: Context) -> str:
        """Needs the client's model."""
        if not (ctx.client_capabilities and ctx.client_capabilities.sampling):
            missing = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "This needs the client's model.", missing)
        return "done"


def wait(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What an asynchronous function gives, in the worker thread that a tool runs in."""
    return anyio.from_thread.run(functools.partial(function, *args, **kwargs))


def said(text: str) -> list[SamplingMessage]:
    return [SamplingMessage(role="user", content=TextContent(type="text", text=text))]


def form(message: str, **properties: Any) -> ElicitRequest:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sample(text: str, tokens: int) -> CreateMessageRequest:
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=said(text), max_tokens=tokens))


def needed(state: str | None = None, /, **requests: InputRequest) -> InputRequiredResult:
    return InputRequiredResult(input_requests=requests, request_state=state)


def answer_of(ctx: Context, key: str) -> Any:
    return (ctx.input_responses or {}).get(key)


def filled_in(ctx: Context, key: str, field: str) -> str | None:
    """What the user filled in, if they did."""
    answer = answer_of(ctx, key)
    return str((answer.content or {}).get(field) or "") or None if isinstance(answer, ElicitResult) else None
