"""The server: the laboratory's tools, resources and prompts behind the Model Context Protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.server.mcpserver import MCPServer

from llmnas_mcp import __version__
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.server import logs, prompts, resources
from llmnas_mcp.server.toolbox import Toolbox
from llmnas_mcp.server.tools import instruments, niches, searches
from llmnas_mcp.settings import Settings

INSTRUCTIONS = """A laboratory for hardware-aware neural architecture search: networks that score high and cost little
on one device. You are the scientist. Every answer of a search has `next`: the call to make now, written out; `...` is
for you to fill in.

start_search cuts the space into niches by number of parameters. In each round, for each niche with a share: get_brief;
reason from mine_rules; update_knowledge_base (a rule has pattern, effect, confidence and evidence); design by mutating
or crossing parents along the rules, aimed at gaps, within the niche's range (breed_architectures offers some,
query_latency is free); submit_architectures with origins until the share is used. Refused ones cost nothing and say
why. get_search shows hypervolume by round: stop when done, or when it hardly grows.

End with compute_pareto_front and plot_pareto_front; export_architecture gives a network to train. Report honestly:
scores are training-free ranks within the space, not accuracies (score_zero_cost tells their worth); costs carry source
and error; points marked near are choices within those errors. list_searches finds a search to go on with."""


def create_app(settings: Settings | None = None) -> MCPServer:
    """A server on the store and data folder of `settings` (default: the environment LLMNAS_*)."""
    lab = Laboratory(settings)

    @asynccontextmanager
    async def lifespan(_: MCPServer) -> AsyncIterator[None]:
        yield
        lab.close()

    box = Toolbox()
    for group in (instruments, searches, niches):
        group.register(box, lab)
    mcp = MCPServer(
        "llmnas-mcp",
        version=__version__,
        instructions=INSTRUCTIONS,
        tools=box.tools,
        lifespan=lifespan,
        log_level="WARNING",
    )
    mcp.middleware.append(logs.log_calls)
    resources.register(mcp, lab)
    prompts.register(mcp)
    return mcp
