"""What the laboratory answers: flat models, finite numbers only. Shared by the server and by every scientist."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

Objective = Literal["latency", "energy", "memory", "macs", "params"]
# What a rule is about: "cost" in a search for one objective, the name of one in a search for two.
Target = Literal["score", "cost", "latency", "energy", "memory", "macs", "params"]
# What a search goes by: the zero-cost score, or for comparison the rank by number of parameters.
ScoredBy = Literal["zero-cost", "params"]
# How complexity was cut into niches: where it has clear clusters between these, else in equal steps of its logarithm.
Cut = Literal["clusters", "equal steps"]
Status = Literal["kept", "duplicate", "refused"]
# What is known of how good a network is: an accuracy that it was trained to, one that a model fitted to such estimates,
# or the zero-cost score alone.
Grade = Literal["trained", "learned", "estimated", "score"]

Score = Annotated[float, Field(description="0 to 1, up")]
Pattern = Annotated[dict[str, str], Field(description="position -> value")]
# What stands beside `cost`, which is by the first objective, where there are two; else it is left out.
All = Annotated[
    dict[Objective, float],
    Field(default_factory=dict, exclude_if=lambda costs: not costs, description="if two"),
]
Limits = Annotated[dict[Objective, float], Field(description="the most allowed")]


Nothing = SkipJsonSchema[None]  # of what is left out where it is not known, so that no answer has a null


def _unknown(value: object) -> bool:
    return value is None


class Result(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Choice(Result):
    """The values that may stand at each of these positions."""

    positions: list[str]
    values: list[str]


class SpaceInfo(Result):
    """A search space and how its architectures are written."""

    space: str
    title: str
    size: int
    choices: list[Choice]
    encoding: str
    example: str
    short: str = Field(description="the example in short; read everywhere")
    datasets: list[str]
    score_of: list[str] = Field(description="proxies in the score; empty: not known yet")
    source: str


class Spaces(Result):
    """Answer of list_spaces."""

    spaces: list[SpaceInfo]
    unavailable: dict[str, str] = Field(default_factory=dict, description="why others cannot be loaded, by name")


class CostModelInfo(Result):
    """Where the costs of one device, objective and dataset come from, and how far they can be trusted."""

    device: str
    title: str
    objective: Objective
    dataset: str
    unit: str
    source: str
    error: float | None = Field(description="median relative error on held-out cells")
    spearman: float | None
    held_out: int | None
    measured: str | None = Field(None, description="of an own device: when, on what")


class Devices(Result):
    """Answer of list_devices."""

    devices: list[CostModelInfo]


class Cost(Result):
    """Cost of one architecture; `value` is null where it cannot run, and `reason` says why."""

    architecture: str
    value: float | None
    unit: str
    source: str
    error: float | None = Field(description="median relative error; null: exact")
    reason: str | None


class Costs(Result):
    """Answer of query_latency and measure_latency, in the order asked."""

    results: list[Cost]
    warnings: list[str] = []


class ZeroCostScore(Result):
    """Zero-cost score of one architecture: `score` is its rank against the space, 1 is best."""

    architecture: str
    score: Score
    params_m: float
    macs_m: float
    proxies: dict[str, float]
    source: str


class Worth(Result):
    """Rank correlation with accuracy over the space, each with its 95 % interval."""

    name: str
    spearman: float
    spearman_95: list[float]
    kendall: float
    kendall_95: list[float]


class ZeroCostScores(Result):
    """Answer of score_zero_cost, in the order asked; `worth` is empty where no accuracies were published."""

    results: list[ZeroCostScore]
    members: list[str] = Field(description="proxies in the score")
    left_out: dict[str, str] = Field(description="proxies, and why")
    worth: list[Worth]
    worth_source: str
    worth_of: Literal["trained", "inherited"] | None = Field(description="what those accuracies are")


class NicheInfo(Result):
    """A range of complexity and how far it has been searched."""

    niche: int
    params_low_m: float
    params_high_m: float
    size: int | None = Field(description="null: too many")
    members: int
    rules: int
    share: int = Field(description="evaluations in the next round")


class Started(Result):
    """Answer of start_search."""

    search_id: str
    units: list[str]
    niches: list[NicheInfo]
    cut: Cut
    next: str


class RoundInfo(Result):
    """The search after one round."""

    round: int
    evaluations: int
    hypervolume: float


class Trained(Result):
    """How good a network is after training: valid and test are accuracies in %, of held-out and of test images."""

    architecture: str
    data: str
    epochs: int
    of_epochs: int
    valid: float
    test: float
    seed: int


class Trainings(Result):
    """Answer of train_architectures, best first by `valid`."""

    results: list[Trained]
    failed: dict[str, str]
    epochs: int
    estimated_s: float
    plain: float | None = Field(description="test accuracy of logistic regression")
    next: str


class Search(Result):
    """State of a search. Hypervolume: each cost scaled to 0..1 within the limits, 1 - score, reference point all 1."""

    search_id: str
    created: str
    space: str
    dataset: str
    device: str | None
    objectives: list[Objective]
    units: list[str]
    operator: str
    seed: int
    scored_by: ScoredBy
    limits: Limits
    cut: Cut
    cost_low: list[float] = Field(description="to cost_high: the scale")
    cost_high: list[float]
    evaluations: int = Field(description="budget")
    used: int
    rounds: int | None
    offspring: int
    done: bool
    hypervolume: float
    rules: int
    niches: list[NicheInfo]
    history: list[RoundInfo]
    trained: list[Trained]
    truncated: bool
    next: str


class SearchLine(Result):
    """One line of list_searches."""

    search_id: str
    space: str
    dataset: str
    device: str | None
    objectives: list[Objective]
    operator: str
    seed: int
    evaluations: int
    used: int
    created: str


class Searches(Result):
    """Answer of list_searches, newest first."""

    searches: list[SearchLine]
    total: int
    truncated: bool
    next: str


class MemberInfo(Result):
    """An evaluated architecture."""

    architecture: str
    niche: int
    round: int
    score: Score
    cost: float
    unit: str
    costs: All
    source: str = Field(description="of the cost")
    params_m: float


class Members(Result):
    """Answer of list_niche_members."""

    members: list[MemberInfo]
    total: int
    truncated: bool
    next: str | None


class Gap(Result):
    """A stretch of cost on the niche's front without a member, and the scores at its ends."""

    objective: Objective
    cost_from: float
    cost_to: float
    score_from: float
    score_to: float


class Rule(Result):
    """A design rule of one niche with its evidence. A rule with a pattern and an effect guides breeding."""

    rule_id: str
    niche: int
    statement: str
    pattern: Pattern
    target: Target
    effect: float | None
    confidence: float
    evidence: list[str]
    author: str
    round: int
    status: Literal["active", "retired"]
    version: int


class Brief(Result):
    """What a scientist needs to know about one niche before proposing."""

    search_id: str
    niche: int
    round: int
    goal: str
    choices: list[Choice]
    example: str
    params_low_m: float
    params_high_m: float
    limits: Limits
    objectives: list[Objective]
    units: list[str]
    untried: int | None = Field(description="null: too many")
    share: int
    parents: list[MemberInfo]
    gaps: list[Gap]
    rules: list[Rule]
    tried: list[str] = Field(description="the last")
    trained: list[Trained]
    next: str


class Effect(Result):
    """How a pattern moves the target against the niche's average; low and high bound 95 % of the belief."""

    statement: str
    pattern: Pattern
    target: Target
    effect: float
    low: float
    high: float
    confidence: float
    support: int
    evidence: list[str]


class Effects(Result):
    """Answer of mine_rules, strongest first."""

    effects: list[Effect]
    results_used: int
    next: str


class RuleEdit(BaseModel):
    """One change of the knowledge base: add a rule, or revise or retire one by its id."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    action: Literal["add", "revise", "retire"]
    rule_id: str | None = None
    statement: str | None = Field(None, max_length=500)
    pattern: Pattern = Field(default_factory=dict)
    target: Target = "score"
    effect: float | None = Field(None, ge=-1e12, le=1e12, description="change of score (0..1) or of cost in the unit")
    confidence: float = Field(0.5, ge=0, le=1)
    evidence: list[str] = Field(default_factory=list, max_length=10, description="architectures")


class Edited(Result):
    """What became of one edit."""

    rule_id: str | None
    status: Literal["added", "revised", "retired", "unchanged", "refused"]
    reason: str | None


class Knowledge(Result):
    """Answer of update_knowledge_base: the version in force."""

    version: int
    active: int
    results: list[Edited]
    next: str


# The reason of every bred offspring. It tells them from a model's designs, in whose place they are taken where too few.
BRED = "bred along the niche's rules"


class Origin(BaseModel):
    """Where a proposal comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operator: Literal["mutation", "crossover", "fresh"] = "fresh"
    parents: list[str] = Field(default_factory=list, max_length=4)
    reason: str = Field("", max_length=500)


class Offspring(Result):
    """A bred architecture, ready for submit_architectures."""

    architecture: str
    origin: Origin


class Bred(Result):
    """Answer of breed_architectures."""

    offspring: list[Offspring]
    next: str


class Submitted(Result):
    """What became of one submitted architecture; `architecture` is its canonical form where it is one."""

    architecture: str
    status: Status
    reason: str | None
    score: float | None
    cost: float | None
    unit: str
    costs: All
    niche: int | None


class Submission(Result):
    """Answer of submit_architectures, in the order asked."""

    results: list[Submitted]
    used: int
    left: int
    next: str


class FrontPoint(Result):
    """An architecture on the front by score, or so near that errors may have kept it off.

    accuracy: in %, with its grade, of what was trained, or where enough was, learned; left out where there is none.
    """

    architecture: str
    short: str | None = None
    niche: int | None
    score: Score
    cost: float
    unit: str
    costs: All
    source: str
    params_m: float | None
    near: bool = Field(description="off the front, within error")
    grade: Literal["trained", "learned"] | Nothing = Field(None, exclude_if=_unknown)
    accuracy: float | Nothing = Field(None, exclude_if=_unknown)
    accuracy_source: str | Nothing = Field(None, exclude_if=_unknown)
    accuracy_error: float | Nothing = Field(None, exclude_if=_unknown)


class TrainedPoint(Result):
    """A trained network that no other beats in accuracy and cost, of those trained as long on the same data."""

    architecture: str
    accuracy: float
    accuracy_source: str
    cost: float
    unit: str
    costs: All


class Pick(Result):
    """A network to take, by the best grade of truth that is known of it: an accuracy in %, or only its score."""

    architecture: str
    short: str
    grade: Grade
    accuracy: float | None
    accuracy_source: str | None
    accuracy_error: float | None
    score: float
    cost: float
    unit: str
    costs: All
    params_m: float


class Front(Result):
    """Answer of compute_pareto_front; IGD, IGD+ and share are against the reference front (null: not known)."""

    front: list[FrontPoint]
    trained_front: list[TrainedPoint] = Field([], description="by trained accuracy, not score")
    hypervolume: float
    igd: float | None
    igd_plus: float | None
    share: float | None = Field(description="hypervolume / the reference's")
    reference: str | None
    true_share: float | None = Field(None, description="in trained accuracy")
    true_share_random: float | None = Field(None, description="of random networks")
    judge: str | None = None
    picks: list[Pick] = Field([], description="the one to take, then others that differ")
    why: str = ""
    truncated: bool
    next: str


class Exported(Result):
    """Answer of export_architecture: a Python module that needs torch and nothing of ours, or a file to be read.

    trained: on what and how well; None where it is untrained. uri: the resource that the file is, or the module's
    trained weights, which the server keeps; bytes, sha256: its size and checksum.
    """

    architecture: str
    filename: str
    trained: str | None = None
    code: str | None = None
    uri: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    next: str
