"""Prompts as a model reads them: a change of one is to be seen in review."""

from __future__ import annotations

from pathlib import Path

import pytest
from llmnas_agents import prompts

from llmnas_mcp import results as r
from tests import snapshots

SNAPSHOTS = Path(__file__).parent / "snapshots"
CELLS = (
    "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    "|skip_connect~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|",
)
SPACE = r.SpaceInfo(
    space="nasbench201",
    title="NAS-Bench-201 cells: 4 nodes, 6 edges, 5 operations",
    size=15625,
    choices=[
        r.Choice(
            positions=["0->1", "0->2", "1->2", "0->3", "1->3", "2->3"],
            values=["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"],
        )
    ],
    encoding="|op~0|+|op~0|op~1|+|op~0|op~1|op~2|: edges into nodes 1, 2, 3; op~i is the edge from node i",
    example=CELLS[0],
    short="3n1sn3",
    datasets=["cifar10"],
    score_of=["growth", "swap", "jacov", "params"],
    source="Dong and Yang, ICLR 2020",
)
RULE = r.Rule(
    rule_id="2.1",
    niche=2,
    statement="A skip connection from input to output raises the score",
    pattern={"0->3": "skip_connect"},
    target="score",
    effect=0.12,
    confidence=0.9,
    evidence=[CELLS[0]],
    author="claude",
    round=2,
    status="active",
    version=1,
)
MEMBERS = [
    r.MemberInfo(
        architecture=cell,
        niche=2,
        round=1,
        score=0.9 - i / 10,
        cost=12.5 - 5 * i,
        unit="ms",
        source="fitted:hwnasbench",
        params_m=0.6,
    )
    for i, cell in enumerate(CELLS)
]
BRIEF = r.Brief(
    search_id="s",
    niche=2,
    round=3,
    goal="Cells for cifar10 with a high zero-cost score and a low latency on raspi4.",
    choices=SPACE.choices,
    example=SPACE.example,
    params_low_m=0.5,
    params_high_m=0.75,
    limits={"latency": 20.0},
    objectives=["latency"],
    units=["ms"],
    untried=100,
    share=6,
    parents=MEMBERS,
    gaps=[r.Gap(objective="latency", cost_from=7.5, cost_to=12.5, score_from=0.8, score_to=0.9)],
    rules=[RULE],
    tried=list(CELLS),
    trained=[],
    next="",
)
EFFECTS = r.Effects(
    effects=[
        r.Effect(
            statement="none on 0->3 lowers score",
            pattern={"0->3": "none"},
            target="score",
            effect=-0.2,
            low=-0.3,
            high=-0.1,
            confidence=0.99,
            support=7,
            evidence=[CELLS[1]],
        )
    ],
    results_used=12,
    next="",
)
EMPTY = BRIEF.model_copy(update={"parents": [], "gaps": [], "rules": [], "tried": [], "limits": {}})
# The same niche in a search for two costs.
BOTH = BRIEF.model_copy(
    update={
        "goal": "Cells for cifar10 with a high zero-cost score, a low latency and a low energy on edgegpu.",
        "objectives": ["latency", "energy"],
        "units": ["ms", "mJ"],
        "limits": {"energy": 60.0, "memory": 4.0, "params": 1.0, "macs": 100.0},
        "parents": [
            m.model_copy(update={"costs": {"latency": m.cost, "energy": 40.25 - 30 * i}}) for i, m in enumerate(MEMBERS)
        ],
        "gaps": [
            *BRIEF.gaps,
            r.Gap(objective="energy", cost_from=10.25, cost_to=40.25, score_from=0.8, score_to=0.9),
        ],
        "rules": [
            RULE,
            RULE.model_copy(
                update={"rule_id": "2.2", "statement": "It costs next to nothing", "target": "energy", "effect": 0.4}
            ),
        ],
    }
)
BOTH_EFFECTS = EFFECTS.model_copy(
    update={
        "effects": [
            *EFFECTS.effects,
            EFFECTS.effects[0].model_copy(
                update={
                    "statement": "none on 0->3 lowers energy",
                    "target": "energy",
                    "effect": -12.0,
                    "low": -20.0,
                    "high": -4.0,
                }
            ),
        ]
    }
)
PROMPTS = {
    "laboratory": prompts.laboratory(SPACE),
    "reason": prompts.reason(BRIEF, EFFECTS, 3, 6),
    "design": prompts.design(BRIEF, 3, 6),
    "design-first": prompts.design(EMPTY, 1, 6),
    "choose-rules": prompts.choose_rules(BRIEF, EFFECTS.effects, 1),
    "choose-changes": prompts.choose_changes(BRIEF, 6),
    "plain": prompts.plain(BRIEF, 6),
    "latency": prompts.latency(BRIEF, [1.0, 5.0, 20.0]),
    "reason-two-costs": prompts.reason(BOTH, BOTH_EFFECTS, 3, 6),
    "design-two-costs": prompts.design(BOTH, 3, 6),
    "choose-rules-two-costs": prompts.choose_rules(BOTH, BOTH_EFFECTS.effects, 1),
    "choose-changes-two-costs": prompts.choose_changes(BOTH, 6),
    "plain-two-costs": prompts.plain(BOTH, 6),
    "latency-two-costs": prompts.latency(BOTH, [1.0, 5.0, 20.0]),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_a_prompt_reads_as_its_snapshot(name: str) -> None:
    snapshots.check(SNAPSHOTS / f"{name}.txt", PROMPTS[name])


def test_what_the_score_is_by_is_said_of_each_space_and_how_it_follows_accuracy_only_where_that_was_measured() -> None:
    known = prompts.laboratory(SPACE)
    assert "its ReLUs" in known
    assert "follows trained accuracy closely" in known
    counted = prompts.laboratory(SPACE.model_copy(update={"space": "mine", "score_of": ["params", "macs"]}))
    assert "by its number of parameters and of MACs." in counted
    assert "closely" not in counted
