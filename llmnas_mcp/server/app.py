"""The server: the laboratory's tools, resources and prompts behind the Model Context Protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS

from llmnas_mcp import __version__
from llmnas_mcp.errors import LabError, NotFoundError, UnknownNameError
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.server import completions, logs, prompts, resources, subscriptions
from llmnas_mcp.server.changes import StoreBus
from llmnas_mcp.server.jobs import Work, working
from llmnas_mcp.server.tasks import Tasks
from llmnas_mcp.server.toolbox import Toolbox
from llmnas_mcp.server.tools import instruments, niches, searches
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import Space, get_space

INSTRUCTIONS = """A laboratory for hardware-aware neural architecture search: networks that score high and cost little,
on a device or by counts. You are the scientist. Every answer of a search has `next`: the call to make now, written out;
`...` is for you to fill in.

start_search cuts the space into niches by number of parameters. In each round, for each niche with a share: get_brief;
reason from mine_rules; update_knowledge_base (a rule has pattern, effect, confidence and evidence); design by mutating
or crossing parents along the rules, aimed at gaps, within the niche's range (breed_architectures offers some,
query_latency is free); submit_architectures with origins until the share is used. Refused ones cost nothing and say
why. get_search shows hypervolume by round: stop when done, or when it hardly grows.

Answers name architectures in short form (list_spaces), and either form is read. End with compute_pareto_front, whose
picks go by accuracies where train_architectures trained some, and plot_pareto_front; export_architecture gives a
network, trained or to train. Report honestly: scores are training-free ranks within the space, not accuracies
(score_zero_cost tells their worth); costs carry source and error; points marked near are choices within those errors.
list_searches finds a search to go on with."""


class LaboratoryServer(MCPServer):
    """Tells of a prompt or resource that is not there what there is; the library does not."""

    async def get_prompt(self, name: str, arguments: Any = None, context: Any = None) -> Any:
        """See MCPServer."""
        known = [prompt.name for prompt in await self.list_prompts()]
        if name not in known:
            raise MCPError(INVALID_PARAMS, str(UnknownNameError("prompt", name, known)))
        return await super().get_prompt(name, arguments, context)

    async def read_resource(self, uri: Any, context: Any = None) -> Any:
        """See MCPServer."""
        try:
            return await super().read_resource(uri, context)
        except ResourceNotFoundError as error:
            if isinstance(error.__cause__, NotFoundError):  # there is such a resource, but not of that search
                raise
            known = [str(resource.uri) for resource in await self.list_resources()]
            known += [template.uri_template for template in await self.list_resource_templates()]
            raise ResourceNotFoundError(str(UnknownNameError("resource", str(uri), known))) from error


def create_app(
    settings: Settings | None = None,
    *,
    read_only: bool = False,
    only: Collection[str] | None = None,
    more_tools: Iterable[Tool] = (),
) -> MCPServer:
    """A server on the store and data folder of `settings` (default: the environment LLMNAS_*).

    read_only: without the tools that write. only: with these tools and no others; raises UnknownNameError for one there
    is not. more_tools, from a `Toolbox`, are served beside the laboratory's.
    """
    lab = Laboratory(settings)
    changes = StoreBus(lab.store)

    @asynccontextmanager
    async def lifespan(_: MCPServer[Work]) -> AsyncIterator[Work]:
        async with working(lab.store) as work, anyio.create_task_group() as group:
            group.start_soon(changes.watch)
            yield work
            group.cancel_scope.cancel()
        lab.close()

    def space_of(arguments: dict[str, Any]) -> Space | None:
        search_id, name = arguments.get("search_id"), arguments.get("space")
        with suppress(LabError):  # such as a search that was deleted meanwhile
            return lab.space_of(search_id) if search_id else get_space(name) if name else None
        return None

    box = Toolbox(space_of)
    for group in (instruments, searches, niches):
        group.register(box, lab)
    tools = box.chosen(read_only, only)
    tasks = Tasks(box.long)
    mcp = LaboratoryServer(
        "llmnas-mcp",
        version=__version__,
        instructions=INSTRUCTIONS,
        tools=[*tools, *more_tools],
        lifespan=lifespan,
        subscriptions=changes,
        extensions=[tasks],
        middleware=[tasks.guard],
        log_level="WARNING",
    )
    mcp.middleware.append(logs.log_calls)
    resources.register(mcp, lab)
    prompts.register(mcp, {tool.name for tool in tools})
    completions.register(mcp, lab)
    subscriptions.register(mcp, changes)
    return mcp
