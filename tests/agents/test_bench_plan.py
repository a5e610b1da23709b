"""What a bench is to run, and how its tables come about."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from llmnas_agents.bench import tables
from llmnas_agents.bench.plan import DEFAULT, Job, Ours, Plan, ours_of, read_plan

from llmnas_mcp.errors import LabError


def row(method: str, device: str, seed: int, share: float, **more: Any) -> dict[str, Any]:
    return {
        "key": f"{method}{device}{seed}",
        **{"dataset": "cifar10", "device": device, "method": method, "seed": seed, "budget": 400},
        **{"share": share, "limit_1": 5.0, "best_under_1": 93.0, "input_tokens": 0, "output_tokens": 0},
        "curve": [[1, 0.5, 0.5]],
    } | more


def test_the_default_plan_is_evolution_its_ablations_and_the_baselines_everywhere() -> None:
    jobs = Plan().jobs()
    assert {job.method for job in jobs} == set(DEFAULT)
    assert {"evolution", "evolution+no-partition", "nsga2", "random", "exhaustive"} <= set(DEFAULT)
    assert len({job.device for job in jobs}) == 6
    # What draws nothing is run once on each device.
    assert len(jobs) == 12 * (10 * (len(DEFAULT) - 1) + 1)
    assert len({job.key for job in jobs}) == len(jobs)


def test_a_plan_comes_from_a_file_and_flags_count_more(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("devices: [fpga]\nseeds: 3\nbudgets: [50, 100]\n")
    plan = read_plan(tmp_path / "plan.yaml", {"seeds": 2, "methods": ["random"]})
    assert plan.jobs() == [
        Job(dataset, "fpga", "random", seed, budget)
        for dataset in ("cifar10", "cifar100")
        for budget in (50, 100)
        for seed in (0, 1)
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("device: [fpga]", "device: Extra inputs"),
        ("seeds: 0", "seeds: Input should be greater"),
        ("budgets: [fast]", "budgets.0"),
        ("- a", "holds no settings"),
        ("limits: [.inf]", "limits.0"),
        ("max_cost: -1", "max_cost"),
        ("objective: [latency, energy, macs]", "objective"),
        ("objective: []", "objective"),
        ("max_tokens: -1", "max_tokens"),
        ("a: [", "is not YAML"),
        ("[" * 20_000, "is not YAML"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
    ],
)
def test_a_wrong_plan_says_what_is_wrong(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(content)
    with pytest.raises(LabError, match=re.escape(told)):
        read_plan(path, {})
    with pytest.raises(LabError, match="cannot be read"):
        read_plan(tmp_path / "none.yaml", {})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"methods": ["nsga"]}, "Did you mean 'nsga2'"),
        ({"methods": ["evolution+no-niches"]}, "Unknown ablation of evolution 'no-niches'"),
        ({"methods": ["plain-prompt+no-knowledge-base"]}, "has no knowledge base"),
        ({"methods": ["no_such_module:search"]}, "MODULE:FUNCTION"),
        ({"devices": ["raspi"]}, "Did you mean 'raspi4'"),
        ({"datasets": ["mnist"]}, "Datasets available"),
        ({"methods": ["nsga2+train"]}, "there is none of nasbench201 on cifar10. Import one with columns arch_str and"),
        ({"objective": "energy", "devices": ["raspi4"]}, "No energy was published for raspi4"),
        ({"objective": ["latency", "energy"], "devices": ["edgegpu", "raspi4"]}, "No energy was published for raspi4"),
        ({"objective": ["latency", "speed"], "devices": ["edgegpu"]}, "Unknown objective 'speed'"),
        ({"model": "claude-x"}, "no method here asks a model"),
        ({"space": "darts"}, "nasbench201"),
        ({"methods": ["claude"]}, "ANTHROPIC_API_KEY"),
    ],
)
@pytest.mark.usefixtures("no_credentials")
def test_what_does_not_exist_is_told_before_anything_runs(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(LabError, match=re.escape(told)):
        Plan(**changes).check()


def test_a_plan_may_be_for_one_cost_or_two() -> None:
    assert Plan().objectives == Plan(objective=["latency"]).objectives == ("latency",)
    both = Plan(objective=["latency", "energy"], devices=["edgegpu", "fpga"])
    assert both.objectives == ("latency", "energy")
    both.check()


def test_no_two_methods_of_a_plan_share_a_name_for_their_runs() -> None:
    jobs = Plan(methods=["my:own_search", "my_own:search", "my.own:search"], seeds=1).jobs()
    assert len({job.key for job in jobs}) == len(jobs)


def test_an_operator_takes_its_ablations_from_its_name() -> None:
    assert ours_of("evolution") == Ours("evolution", None, "zero-cost")
    assert ours_of("evolution+no-partition+no-zero-cost") == Ours("evolution", 1, "params")
    assert ours_of("claude+no-knowledge-base") == Ours("claude+no-knowledge-base", None, "zero-cost")
    assert ours_of("claude+no-llm") == Ours("evolution", None, "zero-cost")
    assert ours_of("plain-prompt") == Ours("plain-prompt", 1, "zero-cost")
    assert ours_of("nsga2") is None
    assert ours_of("evolution+train") == ours_of("evolution")
    assert ours_of("nsga2+train") is None


def test_means_are_over_devices_first_and_intervals_over_seeds() -> None:
    # By seed: 0.7, 0.8, 0.9. t of 2 degrees of freedom at 97.5 % is 4.303; 4.303 * 0.1 / sqrt(3) = 0.2484.
    rows = [row("a", d, s, 0.6 + 0.1 * s + 0.2 * (d == "y")) for d in "xy" for s in range(3)]
    heading, lines = tables.summary(rows)
    assert lines[0][heading.index("HV share")] == "0.8000 ± 0.2484"
    assert tables.by_device(rows)[1] == [["cifar10", "400", "a", "0.7000 ± 0.2484", "0.9000 ± 0.2484"]]


def test_one_seed_has_no_interval_and_what_nobody_used_has_no_column() -> None:
    heading, lines = tables.summary([row("a", "x", 0, 0.5), row("b", "x", 0, 0.25, cost_usd=0.5)])
    assert lines[0][heading.index("HV share")] == "0.5000"
    assert "US$" in heading
    assert "tokens" not in heading


def test_a_limit_nothing_stays_under_has_a_dash() -> None:
    rows = [row("a", "x", 0, 0.5, best_under_1=None), row("b", "x", 0, 0.5, regret_1=0.25)]
    assert [line[-1] for line in tables.under_limits(rows)[1]] == ["5: -; -", "5: 93.00; 0.25"]


def test_the_tidy_table_has_a_row_a_run_and_reads_back() -> None:
    rows = tables.tidy([row("a,b", "x", 0, 0.5), row("c", "y", 1, 0.25)])
    found = list(csv.DictReader(io.StringIO(tables.csv_of(rows).decode())))
    assert [(r["method"], r["device"], float(r["share"]), r["tokens"]) for r in found] == [
        ("a,b", "x", 0.5, "0"),
        ("c", "y", 0.25, "0"),
    ]
    assert "curve" not in found[0]


def test_latex_and_markdown_have_every_cell_and_no_bare_special_character() -> None:
    heading, lines = ["a", "b", "c", "best %"], [["x_1", "4", "m&n", "0.5 ± 0.1"]]
    assert (
        tables.markdown(heading, lines)
        == "| a | b | c | best % |\n| --- | --- | --- | --- |\n| x_1 | 4 | m&n | 0.5 ± 0.1 |\n"
    )
    text = tables.latex(heading, lines)
    assert r"x\_1 & 4 & m\&n & 0.5 $\pm$ 0.1 \\" in text
    assert text.count("&") - text.count(r"\&") == 6
