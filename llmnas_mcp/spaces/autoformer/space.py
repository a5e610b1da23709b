"""AutoFormer's three search spaces of vision transformers, with their complexity in closed form."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llmnas_mcp.errors import SpaceError
from llmnas_mcp.spaces.base import Genotypes, Space
from llmnas_mcp.spaces.datasets import Dataset
from llmnas_mcp.spaces.needed import Genotype
from llmnas_mcp.spaces.notation import genotype_of, malformed

if TYPE_CHECKING:
    from torch import nn

PATCH, HEAD, POSITIONS = 16, 64, 7680  # as in network.py, which needs torch; parameters of a layer's relative positions
LETTERS = {3: "a", 3.5: "b", 4: "c"}  # MLP ratios in the short form
KEYS = ("layer_num", "embed_dim", "num_heads", "mlp_ratio")  # of the published JSON


def _choices(
    depth: Sequence[int], embed_dim: Sequence[int], heads: Sequence[int], mlp_ratio: Sequence[float]
) -> dict[str, Sequence[float]]:
    """A network has one depth and one embedding dimension; each layer has its own number of heads and MLP ratio."""
    layers = [{f"heads.{i}": heads, f"mlp_ratio.{i}": mlp_ratio} for i in range(max(depth))]
    return {"depth": depth, "embed_dim": embed_dim} | {name: values for one in layers for name, values in one.items()}


class AutoFormer(Space):
    """The vision transformers of AutoFormer; its three spaces differ in the values of their choices."""

    source = (
        "Chen et al., AutoFormer, ICCV 2021 (arXiv 2107.00651). MACs here count all matrix products; the FLOPs that are"
        " published are 0.89 to 0.97 of them, because they leave out the products with relative positions"
    )
    encoding = (
        "depth=number of layers,embed_dim=embedding dimension, then heads.i=number of attention heads and"
        " mlp_ratio.i=MLP ratio for each layer i, from 0; or the published JSON, with the keys layer_num, embed_dim,"
        " num_heads and mlp_ratio; in short depth-embed_dim- and then, for each layer, its number of heads and a letter"
        " for its MLP ratio (a is 3, b 3.5, c 4)"
    )
    datasets = ("imagenet",)
    tokens = True

    def say(self, position: str, word: str) -> str:
        """See Space: `13 layers`, `4 heads in layer 3`.

        >>> AutoFormerTiny().say("depth", "13"), AutoFormerTiny().say("mlp_ratio.3", "3.5")
        ('13 layers', 'MLP ratio 3.5 in layer 3')
        """
        what, _, layer = position.partition(".")
        told = {"depth": f"{word} layers", "embed_dim": f"embedding dimension {word}"}
        return told.get(what) or (f"{word} heads" if what == "heads" else f"MLP ratio {word}") + f" in layer {layer}"

    def active(self, chosen: Mapping[str, Any]) -> list[str]:
        """See Space: heads and MLP ratio matter in as many layers as the network is deep."""
        layers = range(chosen["depth"])
        return ["depth", "embed_dim", *(f"{what}.{i}" for i in layers for what in ("heads", "mlp_ratio"))]

    def canonical(self, genotype: Genotype) -> Genotype:
        """The same as by `active`, which a search would call a thousand times an evaluation.

        >>> AutoFormerTiny().canonical((0, 2) + (1, 1) * 14) == (0, 2) + (1, 1) * 12 + (0, 0) * 2
        True
        """
        there: int = 2 + 2 * self.values[0][genotype[0]]
        return (*genotype[:there], *(0,) * (len(genotype) - there))

    def check_dataset(self, dataset: Dataset) -> None:
        """Raise SpaceError for images that have less than a patch."""
        if dataset.resolution < PATCH:
            raise SpaceError(
                f"Networks of {self.name} cut images into patches of {PATCH}x{PATCH} pixels, and {dataset.name} has"
                f" {dataset.resolution} pixels a side: add the data again, under another name, with --resolution"
                f" {2 * PATCH} or more."
            )

    def parse(self, architecture: str) -> Genotype:
        """Read `depth=12,embed_dim=192,heads.0=3,...` in any order, the short form, or the published JSON.

        In the JSON, embed_dim is one number or a list with the same number for each layer; keys beyond KEYS, such as
        the results that are published with them, are ignored. Raises ArchitectureError that names the wrong value, the
        allowed ones and a valid example.

        >>> AutoFormerTiny().parse("12-192-" + "3b" * 11 + "4c") == (0,) * 24 + (1, 1) + (0,) * 4
        True
        """
        text = architecture.strip()
        if text.startswith("{"):
            try:
                config = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise malformed(self, architecture, f"it is not valid JSON ({error})") from error
            return self._of_config(architecture, config)
        if short := re.fullmatch(r"([0-9]+)-([0-9]+)-((?:[0-9]+[a-c])*)", text):
            depth, embed_dim, layers = short.groups()
            heads, letters = re.findall("[0-9]+", layers), re.findall("[a-c]", layers)
            ratios = [ratio for letter in letters for ratio, its in LETTERS.items() if its == letter]
            return self._of_config(architecture, dict(zip(KEYS, (depth, embed_dim, heads, ratios), strict=True)))
        return super().parse(re.sub(r"(=\s*[0-9]+)\.0+\s*(?=,|$)", r"\1", architecture))  # 4.0 is 4

    def short(self, genotype: Genotype) -> str:
        """Depth, embedding dimension, and for each layer its number of heads and a letter; `parse` reads it.

        >>> AutoFormerTiny().short((0, 0) + (0, 0, 1, 1) * 7)
        '12-192-3b4c3b4c3b4c3b4c3b4c3b4c'
        """
        chosen = self.chosen(genotype)
        layers = "".join(f"{heads}{LETTERS[ratio]}" for heads, ratio in _layers(chosen))
        return f"{chosen['depth']}-{chosen['embed_dim']}-{layers}"

    def _of_config(self, architecture: str, config: Mapping[str, Any]) -> Genotype:
        """The genotype of a configuration in the form of the published ones; its values may be of any type."""
        if missing := [key for key in KEYS if key not in config]:
            raise malformed(self, architecture, f"the JSON has no {' and no '.join(missing)}")
        depth, embed_dim, heads, ratios = (config[key] for key in KEYS)
        lists = {"num_heads": heads, "mlp_ratio": ratios}
        if isinstance(embed_dim, list):
            lists["embed_dim"] = embed_dim
        for key, values in lists.items():
            if not isinstance(values, list) or str(len(values)) != _word(depth):
                it = f"has {len(values)} values" if isinstance(values, list) else f"is {str(values)[:40]!r}"
                problem = f"{key} {it} and layer_num is {_word(depth)[:40]}: give a list with a value for each"
                raise malformed(self, architecture, problem)
        widths = sorted({_word(width) for width in lists.get("embed_dim", [embed_dim])})
        if len(widths) != 1:
            problem = f"embed_dim has the values {', '.join(widths)[:80]}: give all layers the same one"
            raise malformed(self, architecture, problem)
        pairs = [("depth", _word(depth)), ("embed_dim", widths[0])]
        for i, (its_heads, its_ratio) in enumerate(zip(heads, ratios, strict=True)):
            pairs += [(f"heads.{i}", _word(its_heads)), (f"mlp_ratio.{i}", _word(its_ratio))]
        return genotype_of(self, pairs, architecture)

    def params(self, genotypes: Genotypes, dataset: Dataset) -> NDArray[np.int64]:
        """Trainable parameters of each network as built, shape (n,).

        >>> from llmnas_mcp.spaces import DATASETS
        >>> AutoFormerTiny().params([(0,) * 30], DATASETS["imagenet"])
        array([5366056])
        """
        width, there, heads, hidden = self._sizes(genotypes)
        tokens = (dataset.resolution // PATCH) ** 2 + 1
        # Patches with bias, class token, positions of tokens, last norm; classifier with bias.
        ends = (PATCH**2 * dataset.channels + 4 + tokens) * width + (width + 1) * dataset.classes
        w = width[:, None]
        attention = 3 * heads * (w + 1) + (heads + 1) * w + POSITIONS
        layers = attention + (w + 1) * hidden + (hidden + 1) * w + 4 * w  # the last: two norms
        return np.asarray(ends + (there * layers).sum(1))

    def macs(self, genotypes: Genotypes, dataset: Dataset) -> NDArray[np.int64]:
        """Multiply-accumulates of one forward pass of one image, shape (n,): all matrix products.

        Those with relative positions too, which the published FLOPs leave out: see `published_flops`.

        >>> from llmnas_mcp.spaces import DATASETS
        >>> AutoFormerTiny().macs([(0,) * 30], DATASETS["imagenet"])
        array([1345368576])
        """
        width, there, heads, hidden = self._sizes(genotypes)
        patches = (dataset.resolution // PATCH) ** 2
        tokens, w = patches + 1, width[:, None]
        # Query, key, value and output; scores and weighted sums, each of tokens and of their positions; the MLP.
        layers = tokens * (4 * w * heads + 4 * tokens * heads + 2 * w * hidden)
        ends = (PATCH**2 * dataset.channels * patches + dataset.classes) * width
        return np.asarray(ends + (there * layers).sum(1))

    def published_flops(self, genotypes: Genotypes) -> NDArray[np.float64]:
        """What the authors' code counts as FLOPs of each network for ImageNet, in millions, shape (n,).

        It counts multiply-accumulates as well, but not those with relative positions, 198 tokens where there are 197,
        and the classifier once for each token: 0.89 to 0.97 of `macs` for the published networks.

        >>> AutoFormerTiny().published_flops([(0,) * 30])
        array([1225.422264])
        """
        width, there, heads, hidden = self._sizes(genotypes)
        w = width[:, None]
        layers = 1_117_314 + 396 * w + 78_507 * heads + 792 * w * heads + 396 * w * hidden
        return np.asarray((347_627.5 * width + (there * layers).sum(1)) / 1e6)

    def _sizes(self, genotypes: Genotypes) -> tuple[NDArray[np.int64], ...]:
        """Embedding dimension (n,); each (n, layers): 1 for a layer that exists, width of all its heads, of its MLP."""
        array = np.asarray(genotypes, dtype=np.int64).reshape(-1, len(self.positions))
        depth, width = (np.array(self.values[i])[array[:, i]] for i in (0, 1))
        heads, ratio = (np.array(self.values[i])[array[:, i::2]] for i in (2, 3))
        there = np.arange(heads.shape[1]) < depth[:, None]
        return width, there.astype(np.int64), HEAD * heads, (width[:, None] * ratio).astype(np.int64)

    def build(self, chosen: Mapping[str, Any], dataset: Dataset) -> nn.Module:
        """See `network.Network`; imports torch."""
        from llmnas_mcp.spaces.autoformer.network import Network

        return Network(
            chosen["embed_dim"],
            _layers(chosen),
            resolution=dataset.resolution,
            classes=dataset.classes,
            channels=dataset.channels,
        )

    def source_code(self, genotype: Genotype, dataset: Dataset) -> str:
        """The text of network.py with this architecture filled in: `build()` makes the network and needs torch only."""
        text = files("llmnas_mcp.spaces.autoformer").joinpath("network.py").read_text(encoding="utf-8")
        chosen = self.chosen(genotype)
        layers = "".join(f"    {layer},\n" for layer in _layers(chosen))
        return (
            f"{text}\n\n# {self.format(genotype)}\nLAYERS = (  # number of heads, MLP ratio\n{layers})\n\n\n"
            f'def build() -> Network:\n    """The network for {dataset.name}, untrained: inputs'
            f' (batch, {dataset.channels}, {dataset.resolution}, {dataset.resolution})."""\n'
            f"    return Network(\n        {chosen['embed_dim']}, LAYERS, resolution={dataset.resolution},"
            f" classes={dataset.classes}, channels={dataset.channels}\n    )\n"
        )


def _word(value: object) -> str:
    """A value of a configuration as it is written in an architecture: 4.0 is 4."""
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _layers(chosen: Mapping[str, Any]) -> list[tuple[int, float]]:
    """Number of heads and MLP ratio of each layer."""
    return [(chosen[f"heads.{i}"], chosen[f"mlp_ratio.{i}"]) for i in range(chosen["depth"])]


class AutoFormerTiny(AutoFormer):
    """AutoFormer tiny: vision transformers of 12 to 14 layers, embedding dimension 192 to 240"""

    name = "autoformer-tiny"
    choices = _choices(depth=(12, 13, 14), embed_dim=(192, 216, 240), heads=(3, 4), mlp_ratio=(3.5, 4))


class AutoFormerSmall(AutoFormer):
    """AutoFormer small: vision transformers of 12 to 14 layers, embedding dimension 320 to 448"""

    name = "autoformer-small"
    choices = _choices(depth=(12, 13, 14), embed_dim=(320, 384, 448), heads=(5, 6, 7), mlp_ratio=(3, 3.5, 4))


class AutoFormerBase(AutoFormer):
    """AutoFormer base: vision transformers of 14 to 16 layers, embedding dimension 528 to 624"""

    name = "autoformer-base"
    choices = _choices(depth=(14, 15, 16), embed_dim=(528, 576, 624), heads=(9, 10), mlp_ratio=(3, 3.5, 4))
