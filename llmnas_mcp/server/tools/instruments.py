"""Tools that need no search: spaces, devices, costs, scores, export."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver import Context
from pydantic import Field

from llmnas_mcp import results as r
from llmnas_mcp.images.known import named_images
from llmnas_mcp.results import Objective
from llmnas_mcp.search import exports, instruments, timing, trained
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.server.arguments import Architecture, Architectures, Dataset, Device, Format, Proxies, Space
from llmnas_mcp.server.progress import reporter, saying_reporter, step_reporter, timing_reporter
from llmnas_mcp.server.toolbox import Toolbox
from llmnas_mcp.spaces import get_space


def register(box: Toolbox, lab: Laboratory) -> None:
    """Add these tools."""
    data = lab.settings.data

    @box.tool("List search spaces")
    def list_spaces() -> r.Spaces:
        """Search spaces: size, choices, and how an architecture is written, with an example."""
        return instruments.list_spaces(data)

    @box.tool("List devices")
    def list_devices(space: Space = "nasbench201") -> r.Devices:
        """Devices and what can be told of them: objective, dataset, unit, source and error of the numbers."""
        return instruments.list_devices(space, data)

    @box.tool("Query latency and other costs")
    def query_latency(
        architectures: Architectures,
        device: Device = None,
        dataset: Dataset = None,
        objective: Objective = "latency",
        space: Space = "nasbench201",
    ) -> r.Costs:
        """Latency (ms), energy (mJ), memory (MB), MACs or parameters (M) of each; null if it cannot run. Free."""
        return instruments.query_cost(
            architectures, space=space, dataset=dataset, device=device, objective=objective, data=data
        )

    @box.tool("Time on an own device", "adds", long=True)
    def measure_latency(
        ctx: Context,
        architectures: Architectures,
        device: str,
        dataset: Dataset = None,
        space: Space = "nasbench201",
    ) -> r.Costs:
        """Runs at most 50 networks on a device of the server's owner (source host: in list_devices): about 3 s each."""
        progress = timing_reporter(ctx)
        return timing.measure_latency(
            architectures, device=device, space=space, dataset=dataset, data=data, progress=progress
        )

    @box.tool("Score without training", long=True)
    def score_zero_cost(
        ctx: Context,
        architectures: Architectures,
        dataset: Dataset = None,
        proxies: Proxies = None,
        space: Space = "nasbench201",
    ) -> r.ZeroCostScores:
        """Zero-cost score of each architecture: its rank in the space by proxies at initialisation, not an accuracy."""
        return instruments.score_zero_cost(
            architectures, space=space, dataset=dataset, data=data, proxies=proxies, progress=reporter(ctx)
        )

    @box.tool("Train networks", "adds", long=True)
    def train_architectures(
        ctx: Context,
        architectures: Architectures,
        dataset: Annotated[str, Field(description="digits, or data its owner added")],
        epochs: Annotated[int, Field(description="of the best; others get fewer")] = 12,
        budget: Annotated[int | None, Field(description="epochs of all together")] = None,
        seed: int = 0,
        space: Space = "nasbench201",
    ) -> r.Trainings:
        """Real training by successive halving; progress begins with the time it takes. Called again, it goes on."""
        report = saying_reporter(ctx)
        return trained.train_architectures(
            architectures,
            space=get_space(space),
            images=named_images(dataset, data),
            store=lab.store,
            data=data,
            epochs=epochs,
            budget=budget,
            seed=seed,
            progress=report,
            begin=lambda whole, seconds: report(0, 1, f"{whole} epochs in all take about {seconds:.0f} s"),
        )

    @box.tool("Export a network", long=True)
    def export_architecture(
        ctx: Context,
        architecture: Architecture,
        dataset: Dataset = None,
        format: Format = "torch",
        space: Space = "nasbench201",
    ) -> r.Exported:
        """The network as PyTorch source (torch), or a checked file, a resource; with its weights if trained here."""
        return exports.export_architecture(
            architecture,
            space=space,
            dataset=dataset,
            format=format,
            store=lab.store,
            data=data,
            say=step_reporter(ctx, 2),
        )
