"""Prompts: how a client's own model becomes the scientist."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.prompts import Prompt
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS
from pydantic import Field

from llmnas_mcp.errors import LabError
from llmnas_mcp.search.directions import call
from llmnas_mcp.spaces import get_space

SEARCH = """Find architectures of {space} that are accurate and fast on {device} for {dataset}{limit}.{without}

You are the scientist; the laboratory prices, scores and remembers. Every answer of a search has `next`: the call to
make now, written out; `...` in it is for you to fill in. Begin with
{start}.

A search goes in rounds. In each, work through the niches one after another (a niche is a range of parameters) and use
the share of evaluations each has:

1. Read. get_brief has the niche's range, its parents (members worth breeding), the gaps on its front, the rules in
   force and what was tried. Where there are no results yet, spread the first designs over costs.
2. Reason. mine_rules has effects of choices at positions, with 95 % interval, confidence and support; the fewer
   results, the more they are drawn towards 0. An effect whose interval takes in 0, or that two or three results show,
   is a guess. Ask what makes it: how information flows, what brings capacity, what takes time without bringing any.
3. Write. update_knowledge_base: a rule is one sentence with pattern (position -> value), target, effect (change of
   score, or of cost in its unit), confidence and evidence (architectures that show it). Add what helps to choose next,
   above all rules on score, as costs can be asked. Those with a pattern and an effect guide breed_architectures, which
   without any only looks for low cost. Revise what has moved, retire what results speak against; a guess is worth its
   confidence and no more.
4. Design as many new architectures as the share. mutation: one or two positions of a parent changed; crossover:
   positions of two parents combined; fresh: of your own. Follow the rules, aim into gaps and at the ends of the front,
   and let a design now and then put a rule to the test. Stay in the range of parameters. query_latency is free of
   budget, so price what you plan; but do not score plans with score_zero_cost: those would be evaluations nobody
   counts. Mix in what breed_architectures offers.
5. Submit. submit_architectures with `origins`: operator, parents and in one sentence why. Duplicates and refused ones
   cost nothing and say why; replace them until the share is used. Hold the scores against what you expected: that is
   the next round's insight.

After each round get_search shows hypervolume by round. Stop when the search is done, or when two rounds have hardly
raised hypervolume (by less than 0.5 %).

Then compute_pareto_front and plot_pareto_front, and report: three or four choices from fast to strong, each with
score, cost, unit and source; which rules held, by what evidence, and which did not; how many evaluations were used,
and the front's `share` of the best hypervolume there is, where that is known. Be honest: a score is a rank within the
space by training-free proxies, not an accuracy; costs are off by the error that query_latency gives; points marked
`near` are beaten by less than these errors, so they are choices too. How well the score ranks is in `worth` of
{worth}. Offer export_architecture."""

EXPLAIN = """Explain the Pareto front of search {search_id} to an engineer who must choose one network.

Read {search}, {front} and the rules with their
evidence, in the resource llmnas://searches/{search_id}/knowledge (get_brief has those of a niche, where resources can't
be read). If the search is not done or the front is empty, say so first. {plot}
shows it. Then say:

- Which three or four points are worth considering, from fast to strong, and what each trades away: how much score for
  how much cost against its neighbours. Points marked `near` are off the front by less than the errors of score and
  cost; they count as choices, and differences below these errors are none.
- What makes the fast ones fast and the strong ones strong: choices at positions, by the rules, their confidence and
  their evidence. Where no rule explains it, say that it is your reading.
- How far the numbers can be trusted. A score is a rank within the space by training-free proxies, not an accuracy;
  `worth` of score_zero_cost(architectures=[], space=..., dataset=...) tells how well it ranks. Each cost has a source,
  and an error that query_latency gives. `share` is what the search found of the best hypervolume there is under the
  same numbers, where that is known.
- What is known of accuracies. `picks` are what the laboratory would take, best first, and `why` says how; each has a
  grade: trained, learned from trainings, or estimated, the last two with accuracy_error in points; or only its score.
  Points have such an accuracy where there is one, and `trained_front` is the front of what was trained alike, by
  accuracy. Hold an accuracy against those of its own accuracy_source only, and never against a score. With nothing
  trained, say that train_architectures would settle which of some is best.
- Which one you would take, for which need, and what would change your mind.
- What to do next: train_architectures trains some for real, where the server's owner has data for it;
  export_architecture gives the network, with its weights where it was trained. It is to be timed on the real device."""


class ReadablePrompt(Prompt):
    """A prompt that tells of wrong arguments by their names; the library's own errors never reach a client."""

    async def render(self, arguments: dict[str, Any] | None, context: Any) -> Any:
        """Check the arguments, then render; raises MCPError with what is wrong."""
        given, known = arguments or {}, self.arguments or []
        wrong = [f"{a.name} is missing" for a in known if a.required and not str(given.get(a.name, "")).strip()]
        wrong += [f"there is no argument {name[:40]!r}" for name in given if name not in {a.name for a in known}]
        if wrong:
            raise _wrong(f"{self.name}: {'; '.join(wrong[:5])}. Arguments: {', '.join(a.name for a in known)}.")
        return await super().render(arguments, context)


def register(mcp: MCPServer, tools: Collection[str]) -> None:
    """Add the prompts whose work the server's tools can do."""

    def search_for_device(
        device: Annotated[str, Field(description="a device of list_devices, such as raspi4 or pixel3")],
        dataset: Annotated[
            str, Field(description="a dataset of the space (list_spaces), or an imported one; default: its first")
        ] = "",
        max_latency: Annotated[str, Field(description="limit in ms, such as 30")] = "",
        avoid: Annotated[str, Field(description="values to do without, such as avg_pool_3x3")] = "",
        space: Annotated[str, Field(description="a space of list_spaces")] = "nasbench201",
    ) -> str:
        """Search for networks that are accurate and fast on a device."""
        try:
            named = {"dataset": dataset.strip() or get_space(space).dataset}
        except LabError as error:
            raise _wrong(str(error)) from None
        most = {"max_latency": _milliseconds(max_latency)} if max_latency.strip() else {}
        return SEARCH.format(
            device=device,
            dataset=named["dataset"],
            limit=f", within {most['max_latency']:g} ms" if most else "",
            without=f" Do without {avoid.strip()}: submit nothing that has it." if avoid.strip() else "",
            space=space,
            start=call("start_search", device=device, space=space, **named, **most),
            worth=call("score_zero_cost", architectures=[], space=space, **named),
        )

    def explain_front(search_id: Annotated[str, Field(description="see list_searches")]) -> str:
        """Explain a search's Pareto front and help to choose from it."""
        return EXPLAIN.format(
            search_id=search_id,
            search=call("get_search", search_id=search_id),
            front=call("compute_pareto_front", search_id=search_id),
            plot=call("plot_pareto_front", search_id=search_id),
        )

    for title, prompt, needed in (
        ("Search for a device", search_for_device, "start_search"),
        ("Explain a front", explain_front, "compute_pareto_front"),
    ):
        if needed in tools:
            mcp.add_prompt(ReadablePrompt.from_function(prompt, title=title))


def _milliseconds(text: str) -> float:
    try:
        most = float(text)
    except ValueError:
        most = 0.0
    if not 0 < most < float("inf"):
        raise _wrong(f"max_latency={text[:40]!r} is no limit: give a positive number of milliseconds, such as 30.")
    return most


def _wrong(message: str) -> MCPError:
    return MCPError(INVALID_PARAMS, message)
