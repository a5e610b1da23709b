"""AutoFormer's three spaces, against the published architectures and against torch."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmnas_mcp.errors import ArchitectureError
from llmnas_mcp.spaces import DATASETS, Dataset, Genotype, Genotypes, Space, get_space
from llmnas_mcp.spaces.autoformer.network import Network, RelativePositions
from llmnas_mcp.spaces.autoformer.space import KEYS, AutoFormer, AutoFormerTiny, _choices
from llmnas_mcp.spaces.counting import count, count_network
from llmnas_mcp.spaces.reference import descend, reference_of
from tests.spaces.exported import run_alone
from tests.thorough import examples

IMAGENET = DATASETS["imagenet"]
TINY, SMALL, BASE = SPACES = [get_space(f"autoformer-{size}") for size in ("tiny", "small", "base")]
PUBLISHED = {"tiny_1000": TINY, "small_700": SMALL, "base_1000": BASE}
every_space = pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)

# The networks that the authors found: AutoFormer/experiments/subnet/AutoFormer-*.yaml of github.com/microsoft/Cream.
SUBNETS = {
    "T": (
        192,
        [3.5, 3.5, 3, 3.5, 3, 3, 4, 4, 3.5, 4, 3.5, 4, 3.5],
        [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 3, 3],
    ),
    "S": (
        384,
        [3, 3.5, 3, 3.5, 4, 4, 4, 4, 4, 4, 4, 3.5, 4],
        [6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7],
    ),
    "B": (
        576,
        [3.5, 3.5, 4, 3.5, 4, 3.5, 3.5, 3, 4, 4, 3, 4, 3, 3.5],
        [9, 9, 9, 9, 9, 10, 9, 9, 10, 9, 10, 9, 9, 10],
    ),
}


class WiderTiny(AutoFormerTiny):
    """The tiny space with the MLP ratio 3, which the network found in it has although it is no choice there"""

    name = "wider-tiny"
    choices = _choices(depth=(12, 13, 14), embed_dim=(192, 216, 240), heads=(3, 4), mlp_ratio=(3, 3.5, 4))


def genotypes_of(space: AutoFormer) -> st.SearchStrategy[Genotype]:
    return st.tuples(*[st.integers(0, len(values) - 1) for values in space.values])


ARCHITECTURES = st.one_of([st.tuples(st.just(space), genotypes_of(space)) for space in SPACES])


def published(space: AutoFormer, genotype: Genotype, *, width_once: bool = False) -> dict[str, Any]:
    """A genotype as the published JSON has it."""
    chosen = space.chosen(genotype)
    depth = chosen["depth"]
    width = chosen["embed_dim"]
    return {
        "layer_num": depth,
        "embed_dim": width if width_once else [width] * depth,
        "num_heads": [chosen[f"heads.{i}"] for i in range(depth)],
        "mlp_ratio": [chosen[f"mlp_ratio.{i}"] for i in range(depth)],
    }


@pytest.mark.parametrize("file", PUBLISHED)
def test_published_architectures_have_the_published_parameters_and_flops(file: str, measured: Path) -> None:
    space = PUBLISHED[file]
    rows = json.loads((measured / f"autoformer_{file}.json").read_text())
    genotypes = [space.parse(json.dumps(row)) for row in rows]
    assert (space.params(genotypes, IMAGENET) / 1e6).tolist() == [row["params_m"] for row in rows]
    assert space.published_flops(genotypes) == pytest.approx([row["flops_m"] for row in rows], rel=1e-12)
    share = space.published_flops(genotypes) * 1e6 / space.macs(genotypes, IMAGENET)
    assert 0.885 < share.min() < share.max() < 0.975


@pytest.mark.parametrize(
    ("name", "space", "params", "flops"),
    [
        ("T", WiderTiny(), 5_867_944, "1.34"),
        ("S", SMALL, 22_891_432, "4.89"),
        ("B", BASE, 53_691_688, "11.24"),
    ],
)
def test_the_networks_that_the_authors_found_are_as_large_as_they_say(
    name: str, space: AutoFormer, params: int, flops: str
) -> None:
    width, ratios, heads = SUBNETS[name]
    found = space.parse(json.dumps(dict(zip(KEYS, (len(heads), width, heads, ratios), strict=True))))
    assert space.params([found], IMAGENET).tolist() == [params]
    assert f"{space.published_flops([found])[0] / 1e3:.2f}" == flops
    with torch.device("meta"):
        network = Network(width, list(zip(heads, ratios, strict=True)), resolution=224, classes=1000)
        assert count_network(network, IMAGENET) == (params, space.macs([found], IMAGENET)[0])


@settings(max_examples=examples(20))
@given(ARCHITECTURES, st.sampled_from([IMAGENET, Dataset("digits", 28, 10, 1), Dataset("odd", 75, 7)]))
@example((TINY, (0,) * 30), IMAGENET)
@example((BASE, (2, 2) + (1, 2) * 16), IMAGENET)
def test_the_network_has_the_parameters_and_does_the_work_told(of: tuple[AutoFormer, Genotype], to: Dataset) -> None:
    space, genotype = of
    told = count(space, genotype, to)  # builds the network and counts in it
    assert space.params([genotype], to).tolist() == [told.params]
    assert space.macs([genotype], to).tolist() == [told.macs]


@given(st.data(), st.sampled_from(SPACES))
def test_many_networks_are_counted_as_each_alone(data: st.DataObject, space: AutoFormer) -> None:
    genotypes = data.draw(st.lists(genotypes_of(space), max_size=20))
    for counted in (lambda g: space.params(g, IMAGENET), lambda g: space.macs(g, IMAGENET), space.published_flops):
        assert counted(genotypes).tolist() == [float(counted([genotype])[0]) for genotype in genotypes]


@every_space
def test_a_network_takes_an_image_of_imagenet_to_a_logit_a_class(space: AutoFormer) -> None:
    network = space.network(space.parse(space.example), IMAGENET)
    with torch.no_grad():
        logits = network(torch.randn(1, 3, 224, 224))
    assert logits.shape == (1, 1000)
    assert logits.isfinite().all()


def test_every_parameter_of_a_network_can_be_learned() -> None:
    network = TINY.network((0,) * 30, Dataset("small", 48, 10))
    network(torch.randn(2, 3, 48, 48)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_pairs_of_patches_share_a_vector_where_they_lie_equally_far_apart_up_to_fourteen_patches() -> None:
    side = 17
    vectors = RelativePositions(side)().detach()
    assert vectors.shape == (side**2 + 1, side**2 + 1, 64)

    def between(query: tuple[int, int], key: tuple[int, int]) -> torch.Tensor:
        return vectors[1 + side * query[0] + query[1], 1 + side * key[0] + key[1]]

    assert torch.equal(between((0, 0), (2, 3)), between((5, 1), (7, 4)))
    assert not torch.equal(between((0, 0), (2, 3)), between((2, 3), (0, 0)))
    assert not torch.equal(between((0, 0), (2, 3)), between((0, 0), (3, 2)))
    assert torch.equal(between((0, 0), (14, 0)), between((0, 0), (16, 0)))
    assert not torch.equal(between((0, 0), (13, 0)), between((0, 0), (14, 0)))
    assert (vectors[0] == vectors[0, 0]).all()  # the class token lies nowhere
    assert (vectors[:, 0] == vectors[0, 0]).all()


@given(ARCHITECTURES)
def test_a_network_is_read_as_it_was_written_in_every_notation(of: tuple[AutoFormer, Genotype]) -> None:
    space, genotype = of
    stands, pairs = space.canonical(genotype), space.format(genotype).split(",")
    config, results = published(space, genotype), {"imagenet1k_top1": 75.3, "params_m": 6.7}
    for text in (
        space.format(genotype),
        ", ".join(reversed(pairs)),
        ",".join(pair + ".0" if "." not in pair.split("=")[1] else pair for pair in pairs),
        space.short(genotype),
        f" {space.short(genotype)}\n",
        json.dumps(config),
        json.dumps(published(space, genotype, width_once=True) | results, indent=1),
        json.dumps(config | {"mlp_ratio": list(map(float, config["mlp_ratio"]))}),
    ):
        assert space.parse(text) == stands
    assert len(space.short(genotype)) < 60


ROW = published(TINY, (0,) * 30)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' is not position=value"),
        ("11-192-" + "3b" * 11, "depth cannot be '11'; allowed: 12, 13, 14"),
        ("12-200-" + "3b" * 12, "embed_dim cannot be '200'; allowed: 192, 216, 240"),
        ("12-192-" + "3b" * 11, "num_heads has 11 values and layer_num is 12: give a list with a value for each"),
        ("12-192-" + "3b" * 11 + "5b", "heads.11 cannot be '5'; allowed: 3, 4"),
        ("12-192-" + "3b" * 11 + "3a", "mlp_ratio.11 cannot be '3'; allowed: 3.5, 4"),
        ("12-192-" + "3b" * 11 + "3d", "is not position=value"),
        (TINY.format((0,) * 30).replace("heads.7=3", "heads.7=10"), "heads.7 cannot be '10'; allowed: 3, 4"),
        (TINY.format((0,) * 30).replace("heads.7=3,", ""), "heads.7 is missing"),
        (TINY.format((0,) * 30).replace("mlp_ratio.7", "ratio.7"), "(did you mean 'mlp_ratio.7'?)"),
        ("{", "it is not valid JSON (Expecting property name"),
        ('{"a":' * 100_000, "it is not valid JSON"),
        (json.dumps({key: ROW[key] for key in KEYS[:3]}), "the JSON has no mlp_ratio"),
        ("{}", "the JSON has no layer_num and no embed_dim and no num_heads and no mlp_ratio"),
        (json.dumps(ROW | {"layer_num": 13}), "num_heads has 12 values and layer_num is 13"),
        (json.dumps(ROW | {"layer_num": None}), "num_heads has 12 values and layer_num is None"),
        (
            json.dumps(ROW | {"num_heads": 3}),
            "num_heads is '3' and layer_num is 12: give a list",
        ),
        (json.dumps(ROW | {"num_heads": [3] * 11 + [7]}), "heads.11 cannot be '7'; allowed: 3, 4"),
        (json.dumps(ROW | {"num_heads": [3] * 11 + [[3]]}), "heads.11 cannot be '[3]'; allowed: 3, 4"),
        (json.dumps(ROW | {"mlp_ratio": [3] * 12}), "mlp_ratio.0 cannot be '3'; allowed: 3.5, 4"),
        (json.dumps(ROW | {"mlp_ratio": [float("nan")] * 12}), "mlp_ratio.0 cannot be 'nan'"),
        (json.dumps(ROW | {"embed_dim": [192] * 11}), "embed_dim has 11 values and layer_num is 12"),
        (json.dumps(ROW | {"embed_dim": [192] * 11 + [216]}), "embed_dim has the values 192, 216: give all layers the"),
        (json.dumps(ROW | {"embed_dim": 256}), "embed_dim cannot be '256'; allowed: 192, 216, 240"),
        (json.dumps(ROW | {"embed_dim": {"a": 1}}), "embed_dim cannot be"),
        (json.dumps({"layer_num": 0, "embed_dim": [], "num_heads": [], "mlp_ratio": []}), "embed_dim has the values"),
    ],
)
def test_what_is_no_autoformer_is_refused_with_what_is_wrong_and_a_valid_one(text: str, problem: str) -> None:
    with pytest.raises(ArchitectureError) as caught:
        TINY.parse(text)
    message = str(caught.value)
    assert problem in message
    TINY.parse(message.rsplit("a valid one: ", 1)[1])
    assert len(message) < 2000


@given(
    st.one_of(
        st.text(max_size=200),
        st.text('0123456789abc-=,.{}[]":heads_mlp', max_size=200),
        st.dictionaries(st.sampled_from(KEYS), st.integers() | st.lists(st.none() | st.floats())).map(json.dumps),
    )
)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        genotype = TINY.parse(text)
    except ArchitectureError:
        return
    assert TINY.parse(TINY.format(genotype)) == TINY.canonical(genotype)


@given(ARCHITECTURES)
def test_layers_that_a_network_does_not_have_make_no_difference(of: tuple[AutoFormer, Genotype]) -> None:
    space, genotype = of
    stands = space.canonical(genotype)
    depth = space.chosen(genotype)["depth"]
    assert stands[: 2 + 2 * depth] == genotype[: 2 + 2 * depth]
    assert not any(stands[2 + 2 * depth :])
    for counted in (space.params, space.macs):
        assert counted([stands], IMAGENET).tolist() == counted([genotype], IMAGENET).tolist()


@every_space
def test_the_reference_reaches_from_the_smallest_network_to_the_largest(space: AutoFormer) -> None:
    def params(genotypes: Genotypes) -> np.ndarray:
        return space.params(genotypes, IMAGENET).astype(float)

    ends = [(0,) * len(space.values), tuple(len(values) - 1 for values in space.values)]
    reference = reference_of(space, IMAGENET)
    assert [reference.params.min(), reference.params.max()] == params(ends).tolist()
    assert 100 < len(reference.genotypes) <= 200
    rng = np.random.default_rng(0)
    for start in map(tuple, space.sample(3, rng).tolist()):
        assert params([descend(space, start, params)]) == params(ends[:1])


@pytest.mark.thorough
def test_an_exported_network_is_the_same_and_needs_nothing_of_ours(tmp_path: Path) -> None:
    shapes = [IMAGENET, Dataset("small", 32, 10), Dataset("digits", 28, 5, 1)]
    networks = [
        (space, tuple(i % len(values) for i, values in enumerate(space.values)), dataset)
        for space, dataset in zip(SPACES, shapes, strict=True)
    ]
    expected = [[int(space.params([genotype], d)[0]), 2, d.classes] for space, genotype, d in networks]
    assert run_alone(tmp_path, networks) == expected


@given(ARCHITECTURES)
def test_exported_source_imports_torch_only_and_names_its_network(of: tuple[AutoFormer, Genotype]) -> None:
    space, genotype = of
    source = space.source_code(genotype, IMAGENET)
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    }
    assert imported == {"__future__", "collections", "torch"}
    assert space.format(genotype) in source


def test_reading_and_counting_do_not_import_torch() -> None:
    program = (
        "import sys\nfrom llmnas_mcp.spaces import DATASETS, get_space\nspace = get_space('autoformer-base')\n"
        "found = [space.canonical(space.parse(space.example))]\nspace.macs(found, DATASETS['imagenet'])\n"
        "space.source_code(found[0], DATASETS['imagenet'])\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@every_space
def test_the_canonical_network_is_the_one_whose_positions_that_do_not_matter_are_first(space: AutoFormer) -> None:
    for row in space.sample(200, np.random.default_rng(0)).tolist():
        assert space.canonical(tuple(row)) == Space.canonical(space, tuple(row))
