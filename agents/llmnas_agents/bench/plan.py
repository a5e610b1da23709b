"""What is to be compared: a small YAML file or flags, checked before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmnas_agents.bench.choosing import short_training
from llmnas_agents.llm import model_of
from llmnas_agents.operators import LANGUAGE, NO_KNOWLEDGE_BASE, OPERATORS, WITHOUT_NICHES
from llmnas_mcp import __version__
from llmnas_mcp import results as r
from llmnas_mcp.baselines import METHODS, method_of
from llmnas_mcp.devices import DEVICES, ON_DEVICE
from llmnas_mcp.errors import LabError, UnknownNameError
from llmnas_mcp.results import ScoredBy
from llmnas_mcp.search.landscape import Landscape
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import DATASETS, dataset_shape, get_space
from llmnas_mcp.spaces.base import MOST_LISTED

ABLATIONS = ("no-partition", "no-knowledge-base", "no-llm", "no-zero-cost")
TRAIN = "train"  # after a `+`: a stage of short trainings before the choice, see `choosing.py`
DEFAULT = ("evolution", *(f"evolution+{name}" for name in ABLATIONS if name != "no-llm"), *METHODS)
Row = dict[str, Any]  # one run and how it was judged
ANY = "any"  # in place of a device
Positive = Annotated[int, Field(ge=1, le=100_000)]


@dataclass(frozen=True)
class Job:
    """One run: a method on a device, or ANY where no objective needs one, with a seed and a budget of evaluations."""

    dataset: str
    device: str
    method: str
    seed: int
    budget: int

    @property
    def key(self) -> str:
        """What tells it from every other run of a bench, in letters a file may be called by."""
        method = "".join(c if c.isalnum() or c in "+-._" else "~" for c in self.method)
        return f"{self.dataset}-{self.device}-{method}-{self.budget}-{self.seed}"


@dataclass(frozen=True)
class Ours:
    """How one of our operators searches: its name in a search, the number of niches (None: as the space falls)."""

    operator: str
    niches: int | None
    scored_by: ScoredBy


def parted(method: str) -> tuple[str, bool]:
    """A method without its stage of trainings, and whether it has one.

    >>> parted("evolution+no-partition+train"), parted("nsga2")
    (('evolution+no-partition', True), ('nsga2', False))
    """
    first, *others = method.split("+")
    return "+".join([first, *(one for one in others if one != TRAIN)]), TRAIN in others


def ours_of(method: str) -> Ours | None:
    """An operator of ours with its ablations (`evolution+no-partition`), or None for any other method.

    Raises LabError for an ablation there is not, or that the operator has nothing of.
    """
    operator, *ablations = parted(method)[0].split("+")
    if operator not in OPERATORS:
        return None
    for name in ablations:
        if name not in ABLATIONS:
            raise UnknownNameError(f"ablation of {operator}", name, (*ABLATIONS, TRAIN))
    if "no-llm" in ablations:
        operator = "evolution"
    if "no-knowledge-base" in ablations:
        if operator in WITHOUT_NICHES:
            raise LabError(f"Method {method}: {operator} has no knowledge base to leave out.")
        operator += NO_KNOWLEDGE_BASE
    one = "no-partition" in ablations or operator in WITHOUT_NICHES
    return Ours(operator, 1 if one else None, "params" if "no-zero-cost" in ablations else "zero-cost")


class Plan(BaseModel):
    """A comparison. `limits`: first costs within which a network is chosen; none: quantiles of the space's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    space: str = "nasbench201"
    objective: str | Annotated[list[str], Field(min_length=1, max_length=2)] = "latency"
    datasets: list[str] = Field([], description="default: the first two of the space's")
    devices: list[str] = Field(list(DEVICES), min_length=1)
    methods: list[str] = Field([], description="default: all there are, exhaustive where the space can be listed")
    seeds: Annotated[int, Field(ge=1, le=1000, description="how many: 0, 1, ...")] = 10
    budgets: list[Positive] = Field([400], min_length=1)
    limits: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field([], max_length=8)
    # Of operators that ask a model; limits hold for each run.
    model: str | None = None
    max_cost: Annotated[float, Field(ge=0)] | None = None
    max_tokens: Annotated[int, Field(ge=0)] | None = None

    @property
    def objectives(self) -> tuple[r.Objective, ...]:
        """What is to be low beside a high score, by the names of these costs; `check` looks whether there are such."""
        given = [self.objective] if isinstance(self.objective, str) else self.objective
        return tuple(given)  # type: ignore[arg-type]

    @property
    def places(self) -> list[tuple[str, str]]:
        """The datasets and devices to run on."""
        datasets = self.datasets or list(get_space(self.space).datasets or DATASETS)[:2]
        devices = self.devices if ON_DEVICE.keys() & {*self.objectives} else [ANY]
        return [(dataset, device) for dataset in datasets for device in devices]

    @property
    def compared(self) -> list[str]:
        """The methods to run."""
        listed = get_space(self.space).size <= MOST_LISTED
        return self.methods or [name for name in DEFAULT if listed or name != "exhaustive"]

    def jobs(self) -> list[Job]:
        """Every run, those of one device together; what draws nothing is run once."""
        found = []
        for dataset, device in self.places:
            for method in self.compared:
                once = parted(method)[0] == "exhaustive"
                for budget in self.budgets[:1] if once else self.budgets:
                    found += [Job(dataset, device, method, seed, budget) for seed in range(1 if once else self.seeds)]
        return list(dict.fromkeys(found))

    def check(self) -> None:
        """Raise LabError for the first name that does not exist, before anything is run."""
        space = get_space(self.space)
        if len(set(self.objectives)) < len(self.objectives):
            raise LabError(f"objective: {', '.join(self.objectives)}: give one or two different ones.")
        for method, _ in map(parted, self.compared):
            if ours_of(method) is None and method not in METHODS and ":" not in method:
                raise UnknownNameError("method", method, [*OPERATORS, *METHODS, "MODULE:FUNCTION"])
            if ours_of(method) is None:
                method_of(method)
        for dataset, device in self.places:
            Landscape(
                space, dataset_shape(dataset, Settings().data), place_of(device), self.objectives, Settings().data
            )
            if any(trained for _, trained in map(parted, self.compared)):
                short_training(space, dataset, Settings().data)
        asking = [own.operator for method in self.compared if (own := ours_of(method)) and own.operator in LANGUAGE]
        for operator in asking:
            model_of(operator, self.model)
        for name in ("model", "max_cost", "max_tokens"):
            if getattr(self, name) is not None and not asking:
                raise LabError(f"{name}: no method here asks a model. Leave it out.")

    @property
    def same(self) -> dict[str, Any]:
        """What runs in one folder must have in common."""
        return {**self.model_dump(include={"space", "objective", "limits", "model"}), "version": __version__}


def place_of(device: str) -> str | None:
    """The device of a job as the laboratory knows it."""
    return None if device == ANY else device


def read_plan(path: Path | None, flags: dict[str, Any]) -> Plan:
    """A plan from a YAML file and flags, which count more. Raises LabError with what is wrong and what is allowed."""
    import yaml

    content: Any = {}
    if path is not None:
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise LabError(f"{path} cannot be read ({error.strerror}). Give a YAML file.") from None
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise LabError(f"{path} is not YAML: {' '.join(str(error).split())[:200]}") from None
        if not isinstance(content, dict):
            raise LabError(f"{path} holds no settings. Give lines such as 'devices: [raspi4, fpga]'.")
    try:
        return Plan.model_validate({**content, **flags})
    except ValidationError as error:
        told = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)[:5]]
        raise LabError(f"The plan: {'; '.join(told)}. Settings: {', '.join(Plan.model_fields)}.") from None
