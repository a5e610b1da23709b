"""The server: the laboratory's tools, resources and prompts behind the Model Context Protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.server.mcpserver import MCPServer

from llmnas_mcp import __version__
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.server import prompts, resources
from llmnas_mcp.server.toolbox import Toolbox
from llmnas_mcp.server.tools import instruments, niches, searches
from llmnas_mcp.settings import Settings

INSTRUCTIONS = """A laboratory for hardware-aware neural architecture search: find networks that score high and cost
little on one device. You are the scientist. start_search cuts a space into niches by number of parameters. Then, in
rounds, for each niche with a share: get_brief; reason about its results and write rules with update_knowledge_base
(mine_rules gives statistics); design new architectures along the rules (breed_architectures offers some) and
submit_architectures. get_search tells what is left. End with compute_pareto_front and plot_pareto_front;
export_architecture gives a network away. Costs carry source and error; scores are training-free ranks against the
space, not accuracies."""


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
    resources.register(mcp, lab)
    prompts.register(mcp)
    return mcp
