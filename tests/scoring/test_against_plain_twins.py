"""Every proxy against a slow, plain implementation written apart from it."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import nn

from llmnas_mcp.errors import UnscorableError
from llmnas_mcp.scoring import PROXIES, inputs
from llmnas_mcp.scoring.observation import Observation
from llmnas_mcp.spaces import Dataset, get_space
from tests.scoring import handmade
from tests.scoring.plain_twins import PLAIN

SPACE = get_space("nasbench201")
CELLS = [(0, 0, 0, 0, 0, 0), (0, 0, 0, 1, 0, 0), (0, 0, 0, 4, 0, 0), (4, 0, 2, 4, 1, 3), (3, 1, 3, 1, 2, 3)]
MADE = ["mobile", "bare", "dropping", "functional_relu"]
WITH_ATTENTION = ["transformer", "transformer_fused", "transformer_flat", "transformer_torch", "encoder", "autoformer"]
TRANSFORMERS = [*WITH_ATTENTION, "encoder_batch_second", "mixer"]
RESOLUTION = 8
RESOLUTIONS = {"autoformer": 32}
# Divides by the difference of two gradients: where they nearly agree, rounding in float32 decides the quotient, and
# such weights have the largest ones.
TOLERANCE = {"zico": 1e-2}
# These twins run a network twice, with other units dropped each time; the package drops the same ones.
TWO_PASSES = {"zen", "growth"}
# These twins know modules only.
MODULES_ONLY = {"naswot", "swap", "reg_swap"}
FUNCTIONS = {"functional_relu", "transformer_flat", "encoder", "encoder_batch_second"}


@cache
def network(name: str) -> nn.Module:
    if not name[0].isdigit():
        return handmade.seeded(getattr(handmade, name))
    genotype = tuple(map(int, name.split("-")))
    return handmade.seeded(lambda: SPACE.network(genotype, Dataset("tiny", RESOLUTION, handmade.CLASSES)))


@cache
def observation(name: str) -> Observation:
    return Observation(network(name), *inputs.batch(RESOLUTIONS.get(name, RESOLUTION), handmade.CLASSES), seed=0)


def twin(name: str, proxy: str) -> float:
    with torch.random.fork_rng():
        torch.manual_seed(0)  # for dropout
        return PLAIN[proxy](network(name), *inputs.batch(RESOLUTIONS.get(name, RESOLUTION), handmade.CLASSES))


def refused(name: str, proxy: str) -> bool:
    """Attention is in transformers only, and feature maps, which zen looks at, in convolutional networks only."""
    return {"dss": name not in [*WITH_ATTENTION, "encoder_batch_second"], "zen": name in TRANSFORMERS}.get(proxy, False)


def close(proxy: str, to: float) -> object:
    return pytest.approx(to, rel=TOLERANCE.get(proxy, 1e-4), abs=1e-9)


def test_there_is_a_twin_of_every_proxy() -> None:
    assert PLAIN.keys() == PROXIES.keys()


@pytest.mark.parametrize("proxy", [proxy for proxy in PROXIES if not refused("a cell", proxy)])
@pytest.mark.parametrize("name", ["-".join(map(str, cell)) for cell in CELLS])
def test_a_proxy_of_a_cell_is_that_of_its_plain_twin(name: str, proxy: str) -> None:
    assert PROXIES[proxy].measure(observation(name)) == close(proxy, twin(name, proxy))


@pytest.mark.parametrize(
    ("name", "proxy"),
    [
        (name, proxy)
        for name in MADE + TRANSFORMERS
        for proxy in PROXIES
        if not refused(name, proxy)
        and not (name == "dropping" and proxy in TWO_PASSES)
        and not (name in FUNCTIONS and proxy in MODULES_ONLY)
    ],
)
def test_a_proxy_of_a_network_of_ones_own_is_that_of_its_plain_twin(name: str, proxy: str) -> None:
    assert PROXIES[proxy].measure(observation(name)) == close(proxy, twin(name, proxy))


@pytest.mark.parametrize(
    ("one", "other", "proxy"),
    [
        # zen looks at the last feature map of a module, which is one ReLU further on where that is a module
        *(("functional_relu", "module_relu", proxy) for proxy in PROXIES if proxy not in ("zen", "dss")),
        *(("in_place", "not_in_place", proxy) for proxy in PROXIES if proxy != "dss"),
        *(("transformer", "transformer_fused", proxy) for proxy in PROXIES if proxy != "zen"),
        *(("transformer", "transformer_flat", proxy) for proxy in PROXIES if proxy not in ("zen", "fisher")),
        # fisher looks at outputs of modules, and torch's attention has none inside
        *(("transformer", "transformer_torch", proxy) for proxy in PROXIES if proxy not in ("zen", "fisher")),
        # signs are drawn for tokens in their order
        *(("encoder", "encoder_batch_second", proxy) for proxy in PROXIES if proxy not in ("zen", "trainability")),
    ],
)
def test_how_a_forward_method_is_written_makes_no_difference(one: str, other: str, proxy: str) -> None:
    assert PROXIES[proxy].measure(observation(one)) == close(proxy, PROXIES[proxy].measure(observation(other)))


@pytest.mark.parametrize(("name", "proxy"), [(n, p) for n in MADE + TRANSFORMERS for p in PROXIES if refused(n, p)])
def test_what_a_proxy_does_not_look_at_is_refused_with_what_is_missing(name: str, proxy: str) -> None:
    with pytest.raises(UnscorableError, match=f"has no attention.*leave out {proxy}|on tokens.*leave out {proxy}"):
        PROXIES[proxy].measure(observation(name))
