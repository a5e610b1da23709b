"""What may stand for an argument of a prompt or a resource, offered while it is typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from anyio import to_thread
from mcp.server.mcpserver import MCPServer
from mcp.types import Completion

from llmnas_mcp.devices import devices_of
from llmnas_mcp.search import instruments
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.server.trouble import readable
from llmnas_mcp.spaces import with_images

MOST = 100  # the protocol's limit


def register(mcp: MCPServer, lab: Laboratory) -> None:
    """Add completions for devices, datasets, operations and ids of searches."""
    data = lab.settings.data
    spaces = instruments.list_spaces(data).spaces
    offers: dict[str, Callable[[], Sequence[str]]] = {
        "device": lambda: list(devices_of(data)),
        "dataset": lambda: list(dict.fromkeys([*(n for space in spaces for n in space.datasets), *with_images(data)])),
        "avoid": lambda: list(dict.fromkeys(name for space in spaces for c in space.choices for name in c.values)),
        "search_id": lambda: [line.search_id for line in lab.list_searches(200).searches],
    }

    @mcp.completion()  # type: ignore[no-untyped-call,untyped-decorator]
    async def complete(ref: object, argument: object, context: object) -> Completion | None:  # noqa: ARG001
        """Names that begin as what is typed, then those that have it within; of a list, for its last name."""
        name, typed = getattr(argument, "name", ""), getattr(argument, "value", "")
        if name not in offers:
            return None
        before, comma, last = typed.rpartition(",") if name == "avoid" else ("", "", typed)
        last = last.strip().lower()
        with readable():
            known = await to_thread.run_sync(offers[name])
        found = sorted((n for n in known if last in n.lower()), key=lambda n: not n.lower().startswith(last))
        values = [f"{before}{comma}{' ' * bool(comma)}{n}" for n in found]
        return Completion(values=values[:MOST], total=len(values), has_more=len(values) > MOST)
