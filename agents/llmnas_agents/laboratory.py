"""The laboratory as a scientist sees it: MCP tools, called by name, answered with the shared result models."""

from __future__ import annotations

import base64
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from llmnas_mcp import results as r
from llmnas_mcp.errors import LabError

if TYPE_CHECKING:
    from mcp.shared.dispatcher import ProgressFnT

Answer = TypeVar("Answer", bound=BaseModel)


class LaboratoryClient:
    """Thin, typed calls of the laboratory's tools. A tool's error is raised as LabError with the tool's own text.

    progress: hears how far each call is, as (done, total, message).
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self.progress: ProgressFnT | None = None

    async def call(self, tool: str, answer: type[Answer], **arguments: Any) -> Answer:
        """Call a tool and read its structured answer."""
        return answer.model_validate((await self._call(tool, arguments)).structured_content)

    async def start_search(self, **arguments: Any) -> r.Started:
        """See the tool of that name; so for the methods below."""
        return await self.call("start_search", r.Started, **arguments)

    async def get_search(self, search_id: str) -> r.Search:
        """State of a search."""
        return await self.call("get_search", r.Search, search_id=search_id)

    async def get_brief(self, search_id: str, niche: int, round_: int | None = None) -> r.Brief:
        """What to know about a niche, or what was known before a round."""
        return await self.call("get_brief", r.Brief, search_id=search_id, niche=niche, round=round_)

    async def compute_pareto_front(self, search_id: str) -> r.Front:
        """The front of a search."""
        return await self.call("compute_pareto_front", r.Front, search_id=search_id)

    async def plot_pareto_front(self, search_id: str) -> bytes:
        """The picture of a search, a PNG."""
        content = (await self._call("plot_pareto_front", {"search_id": search_id})).content[0]
        return base64.b64decode(content.data)

    async def read(self, uri: str) -> str:
        """The text of a resource; raises LabError with the laboratory's own text where there is none."""
        try:
            content = (await self._client.read_resource(uri)).contents[0]
        except MCPError as error:
            raise LabError(error.error.message) from error
        return str(getattr(content, "text", ""))

    async def _call(self, tool: str, arguments: dict[str, Any]) -> Any:
        # What is not given is left out, so that the tool's own default holds.
        given = {k: v for k, v in arguments.items() if v is not None}
        result = await self._client.call_tool(tool, given, progress_callback=self.progress)
        if result.is_error:
            text = " ".join(getattr(block, "text", "") for block in result.content)
            raise LabError(text.removeprefix(f"Error executing tool {tool}: "))
        return result


@asynccontextmanager
async def open_laboratory(server: str | None = None, store: str | None = None) -> AsyncIterator[LaboratoryClient]:
    """A client of a laboratory: in this process by default, a `llmnas-mcp` over stdio ("stdio"), or one at a URL.

    `store` is the SQLAlchemy URL of its searches (default: LLMNAS_STORE); a server at a URL has its own.
    """
    async with Client(_target(server, store)) as client:
        yield LaboratoryClient(client)


def _target(server: str | None, store: str | None) -> Any:
    if server is None:
        from llmnas_mcp.server.app import create_app
        from llmnas_mcp.settings import Settings

        return create_app(Settings(store=store) if store else Settings())
    if server == "stdio":
        import os

        env = {**os.environ, **({"LLMNAS_STORE": store} if store else {})}
        return StdioServerParameters(command=sys.executable, args=["-m", "llmnas_mcp.server.main"], env=env)
    if server.startswith(("http://", "https://")):
        if store:
            raise LabError("--store does not go with --server URL: the server has its own store. Leave one out.")
        from llmnas_agents.remote import connect

        return connect(server)
    raise LabError(f"--server {server!r} is neither a URL (http://127.0.0.1:8000/mcp) nor 'stdio'.")
