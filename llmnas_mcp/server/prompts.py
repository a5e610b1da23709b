"""Prompts: how a client's own model becomes the scientist."""

from __future__ import annotations

from mcp.server.mcpserver import MCPServer

SEARCH = """Find convolutional cells that are accurate and fast on {device} for {dataset}{limit}.

1. start_search with device={device}, dataset={dataset}{argument}. The space comes back cut into niches by number of
   parameters, each with a share of the next round.
2. For every niche with a share above 0, in each round:
   - get_brief: read the niche's limits, its best members, the rules in force, the gaps on its front, what was tried.
   - Reason: what do the results say about which operations help, on which edges? mine_rules gives statistics to hold
     your idea against. Write what you believe with update_knowledge_base: add, revise or retire rules, with evidence.
   - Design: propose as many new cells as the niche's share, by mutating or crossing its members along the rules,
     aiming at the gaps; stay within its range of parameters. breed_architectures offers some. Submit them with
     submit_architectures and say in `origins` how each came about and why.
3. get_search shows the budget and the next shares. Stop when it says done, or when hypervolume stops growing.
4. compute_pareto_front and plot_pareto_front; then tell the user the best choices, with score, cost, unit, source and
   error. The score is a rank by training-free proxies, not an accuracy: say so."""

EXPLAIN = """Explain the Pareto front of search {search_id} to an engineer who must choose one network.

Read compute_pareto_front and get_search for it, and the rules in llmnas://searches/{search_id}/knowledge. Points marked
near are off the front by less than the errors of score and cost, so they count as choices too. Say which three or four
points are worth considering and what each trades away; which operations make the fast ones
fast and the strong ones strong, by the rules and their evidence; where the numbers come from and how far they can be
trusted (the score is a training-free rank, costs carry a source and an error); and what to do next:
export_architecture gives the network, which is to be trained and timed on the real device."""


def register(mcp: MCPServer) -> None:
    """Add the prompts."""

    @mcp.prompt()
    def search_for_device(device: str, dataset: str = "cifar10", max_latency: str = "") -> str:
        """Search for networks that are accurate and fast on a device."""
        limit = f", within {max_latency} ms" if max_latency else ""
        argument = f", max_cost={max_latency}" if max_latency else ""
        return SEARCH.format(device=device, dataset=dataset, limit=limit, argument=argument)

    @mcp.prompt()
    def explain_front(search_id: str) -> str:
        """Explain a search's Pareto front and help to choose from it."""
        return EXPLAIN.format(search_id=search_id)
