"""Every proxy against a slow, plain implementation written apart from it."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import nn

from llmnas_mcp.scoring import PROXIES, inputs
from llmnas_mcp.scoring.observation import Observation
from llmnas_mcp.spaces import Dataset, get_space
from tests.scoring import handmade
from tests.scoring.plain_twins import PLAIN

SPACE = get_space("nasbench201")
CELLS = [(0, 0, 0, 0, 0, 0), (0, 0, 0, 1, 0, 0), (0, 0, 0, 4, 0, 0), (4, 0, 2, 4, 1, 3), (3, 1, 3, 1, 2, 3)]
MADE = ["mobile", "bare", "dropping", "functional_relu"]
RESOLUTION = 8
# Divides by the difference of two gradients: where they nearly agree, rounding in float32 decides the quotient, and
# such weights have the largest ones.
TOLERANCE = {"zico": 1e-2}
# These twins run a network twice, with other units dropped each time; the package drops the same ones.
TWO_PASSES = {"zen", "growth"}
# These twins know nn.ReLU only.
MODULES_ONLY = {"naswot", "swap", "reg_swap"}


@cache
def network(name: str) -> nn.Module:
    if not name[0].isdigit():
        return handmade.seeded(getattr(handmade, name))
    genotype = tuple(map(int, name.split("-")))
    return handmade.seeded(lambda: SPACE.network(genotype, Dataset("tiny", RESOLUTION, handmade.CLASSES)))


@cache
def observation(name: str) -> Observation:
    return Observation(network(name), *inputs.batch(RESOLUTION, handmade.CLASSES), seed=0)


def twin(name: str, proxy: str) -> float:
    with torch.random.fork_rng():
        torch.manual_seed(0)  # for dropout
        return PLAIN[proxy](network(name), *inputs.batch(RESOLUTION, handmade.CLASSES))


def close(proxy: str, to: float) -> object:
    return pytest.approx(to, rel=TOLERANCE.get(proxy, 1e-4), abs=1e-9)


def test_there_is_a_twin_of_every_proxy() -> None:
    assert PLAIN.keys() == PROXIES.keys()


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("name", ["-".join(map(str, cell)) for cell in CELLS])
def test_a_proxy_of_a_cell_is_that_of_its_plain_twin(name: str, proxy: str) -> None:
    assert PROXIES[proxy].measure(observation(name)) == close(proxy, twin(name, proxy))


@pytest.mark.parametrize(
    ("name", "proxy"),
    [
        (name, proxy)
        for name in MADE
        for proxy in PROXIES
        if not (name == "dropping" and proxy in TWO_PASSES)
        and not (name == "functional_relu" and proxy in MODULES_ONLY)
    ],
)
def test_a_proxy_of_a_network_of_ones_own_is_that_of_its_plain_twin(name: str, proxy: str) -> None:
    assert PROXIES[proxy].measure(observation(name)) == close(proxy, twin(name, proxy))


@pytest.mark.parametrize(
    ("one", "other", "proxy"),
    [
        # zen looks at the last feature map of a module, which is one ReLU further on where that is a module
        *(("functional_relu", "module_relu", proxy) for proxy in PROXIES if proxy != "zen"),
        *(("in_place", "not_in_place", proxy) for proxy in PROXIES),
    ],
)
def test_how_a_forward_method_is_written_makes_no_difference(one: str, other: str, proxy: str) -> None:
    assert PROXIES[proxy].measure(observation(one)) == close(proxy, PROXIES[proxy].measure(observation(other)))
