from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmnas_mcp.errors import ArchitectureError
from llmnas_mcp.spaces import DATASETS, Dataset, Genotype
from llmnas_mcp.spaces.counting import count
from llmnas_mcp.spaces.fbnet.plan import BLOCKS, SKIP
from llmnas_mcp.spaces.fbnet.space import FBNet
from tests.spaces.exported import run_alone
from tests.thorough import examples

SPACE = FBNet()
FBNETS = st.tuples(*[st.integers(0, 8)] * 22)
SHAPES = [DATASETS["cifar100"], DATASETS["imagenet"], Dataset("digits", 28, 10, 1), Dataset("odd", 75, 7)]
IDENTITIES = [i for stage in range(5) for i in range(4 * stage + 2, 4 * stage + 5)]  # layers where skip may be moved


def stretched(block: str) -> Genotype:
    return (BLOCKS.index(block),) * 22


@settings(max_examples=examples(60))
@given(FBNETS, st.sampled_from(SHAPES))
@example(stretched("skip"), SHAPES[0])
@example(stretched("k5_e1_g2"), SHAPES[1])
def test_the_network_has_the_parameters_and_does_the_work_told(genotype: Genotype, dataset: Dataset) -> None:
    told = count(SPACE, genotype, dataset)  # builds the network and counts in it
    assert SPACE.params([genotype], dataset).tolist() == [told.params]
    assert SPACE.macs([genotype], dataset).tolist() == [told.macs]


@pytest.mark.parametrize(
    ("dataset", "params", "macs"), [("cifar100", 1_170_676, "31.32"), ("imagenet", 3_175_096, "118.37")]
)
def test_the_plainest_network_is_as_large_as_that_of_the_authors(dataset: str, params: int, macs: str) -> None:
    plainest = [stretched("k3_e1")]
    assert SPACE.params(plainest, DATASETS[dataset]).tolist() == [params]
    assert f"{SPACE.macs(plainest, DATASETS[dataset])[0] / 1e6:.2f}" == macs


@given(st.lists(FBNETS, max_size=20), st.sampled_from(SHAPES))
def test_many_networks_are_counted_as_each_alone(genotypes: list[Genotype], dataset: Dataset) -> None:
    for counted in (SPACE.params, SPACE.macs):
        alone = [int(counted([genotype], dataset)[0]) for genotype in genotypes]
        assert counted(genotypes, dataset).tolist() == alone
        assert counted(np.array(genotypes, dtype=int).reshape(-1, 22), dataset).tolist() == alone


def test_a_network_takes_pictures_of_its_dataset_to_classes_and_can_be_trained() -> None:
    network = SPACE.network(tuple(i % 9 for i in range(22)), DATASETS["cifar100"])
    logits = network(torch.randn(2, 3, 32, 32))
    assert logits.shape == (2, 100)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_a_shuffle_deals_the_channels_of_both_groups_out_in_turn() -> None:
    from llmnas_mcp.spaces.fbnet.network import Shuffle

    channels = torch.arange(6.0).reshape(1, 6, 1, 1)
    assert Shuffle(2)(channels).flatten().tolist() == [0, 3, 1, 4, 2, 5]


@given(FBNETS)
def test_a_network_is_read_as_it_was_written_in_every_notation(genotype: Genotype) -> None:
    words = [BLOCKS[op] for op in genotype]
    pairs = SPACE.format(genotype).split(",")
    for text in (
        SPACE.format(genotype),
        ", ".join(reversed(pairs)),
        SPACE.short(genotype),
        str(list(genotype)),  # as HW-NAS-Bench has it: op_idx_list and arch_str
        str(words),
        json.dumps(words),
        ",".join(words),
        "-".join(words),
        f" {genotype}\n",
    ):
        assert SPACE.parse(text) == genotype


@given(FBNETS)
def test_a_network_is_written_layer_by_layer(genotype: Genotype) -> None:
    pairs = [pair.split("=") for pair in SPACE.format(genotype).split(",")]
    assert pairs == [[f"layer.{i}", BLOCKS[op]] for i, op in enumerate(genotype)]
    assert SPACE.short(genotype) == "".join(map(str, genotype))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it has 1 blocks, not 22"),
        ("0" * 21, "it has 21 blocks, not 22"),
        (str([0] * 23), "it has 23 blocks, not 22"),
        (str([0] * 21 + [9]), "layer.21 cannot be '9'; allowed: k3_e1,"),
        ("0" * 21 + "٣", "layer.21 cannot be"),
        (",".join(["k3_e1"] * 3 + ["k7_e1"] + ["skip"] * 18), "layer.3 cannot be 'k7_e1'"),
        (SPACE.format((0,) * 22).replace("layer.7=k3_e1,", ""), "layer.7 is missing"),
        (SPACE.format((0,) * 22).replace("layer.7=", "layer.6="), "layer.6 is there twice"),
        (SPACE.format((0,) * 22).replace("layer.7=", "layer.22="), "there is no position 'layer.22'"),
        (SPACE.format((0,) * 22).replace("layer.7=k3_e1", "layer.7=k3"), "layer.7 cannot be 'k3'"),
    ],
)
def test_what_is_no_fbnet_is_refused_with_what_is_wrong_and_a_valid_one(text: str, problem: str) -> None:
    with pytest.raises(ArchitectureError) as caught:
        SPACE.parse(text)
    message = str(caught.value)
    assert problem in message
    SPACE.parse(message.rsplit("a valid one: ", 1)[1])
    assert len(message) < 2000


@given(st.one_of(st.text(max_size=200), st.text("0123456789,[] '=-_keskipg", max_size=200)))
@example("[" * 5000)
@example("\0" * 5000)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        genotype = SPACE.parse(text)
    except ArchitectureError:
        return
    assert SPACE.parse(SPACE.format(genotype)) == genotype


@given(FBNETS)
def test_a_canonical_network_has_the_identities_of_a_stage_behind_its_blocks(genotype: Genotype) -> None:
    canonical = SPACE.canonical(genotype)
    assert SPACE.canonical(canonical) == canonical
    elsewhere = [i for i in range(22) if i not in IDENTITIES]
    assert [canonical[i] for i in elsewhere] == [genotype[i] for i in elsewhere]
    for i in IDENTITIES[::3]:
        before, after = genotype[i : i + 3], canonical[i : i + 3]
        blocks = tuple(op for op in before if op != SKIP)
        assert after == blocks + (SKIP,) * (3 - len(blocks))


@given(st.lists(FBNETS, max_size=20), st.sampled_from(SHAPES))
def test_a_canonical_network_is_as_large_as_what_it_stands_for(genotypes: list[Genotype], dataset: Dataset) -> None:
    canonical = [SPACE.canonical(genotype) for genotype in genotypes]
    for counted in (SPACE.params, SPACE.macs):
        assert counted(canonical, dataset).tolist() == counted(genotypes, dataset).tolist()


@settings(max_examples=examples(30))
@given(FBNETS, st.data())
def test_a_network_computes_what_its_canonical_one_does_with_the_same_weights(
    genotype: Genotype, data: st.DataObject
) -> None:
    moved = list(genotype)
    for i in data.draw(st.sets(st.sampled_from(IDENTITIES), min_size=5)):
        moved[i] = SKIP
    one = SPACE.network(tuple(moved), DATASETS["cifar100"]).eval()
    other = SPACE.network(SPACE.canonical(tuple(moved)), DATASETS["cifar100"]).eval()
    weights = one.state_dict()
    # An identity has no weights: those of all other layers are in one order in both networks.
    other.load_state_dict(dict(zip(other.state_dict(), weights.values(), strict=True)))
    pictures = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(one(pictures), other(pictures))


@pytest.mark.parametrize("layer", [i for i in range(22) if i not in IDENTITIES])
def test_a_skip_is_not_moved_out_of_a_layer_of_another_shape(layer: int) -> None:
    genotype = tuple(SKIP if i == layer else 0 for i in range(22))
    assert SPACE.canonical(genotype) == genotype


@pytest.mark.thorough
def test_an_exported_network_is_the_same_and_needs_nothing_of_ours(tmp_path: Path) -> None:
    genotypes = [tuple((i + 5 * layer) % 9 for layer in range(22)) for i in range(len(SHAPES))]
    expected = [[int(SPACE.params([g], d)[0]), 2, d.classes] for g, d in zip(genotypes, SHAPES, strict=True)]
    assert run_alone(tmp_path, [(SPACE, g, d) for g, d in zip(genotypes, SHAPES, strict=True)]) == expected


@given(FBNETS)
def test_exported_source_imports_torch_only_and_names_its_network(genotype: Genotype) -> None:
    source = SPACE.source_code(genotype, DATASETS["cifar100"])
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert imported == {"__future__", "collections", "torch"}
    assert SPACE.format(genotype) in source
    assert str(list(genotype)) in source


def test_reading_and_counting_do_not_import_torch() -> None:
    program = (
        "import sys\nfrom llmnas_mcp.spaces import DATASETS\nfrom llmnas_mcp.spaces.fbnet.space import FBNet\n"
        "FBNet().macs([FBNet().canonical(FBNet().parse('0' * 22))], DATASETS['cifar100'])\n"
        "FBNet().source_code((0,) * 22, DATASETS['cifar100'])\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
