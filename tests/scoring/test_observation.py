"""One pass serves all, over the right blocks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from llmnas_mcp.scoring import PROXIES, engine
from llmnas_mcp.scoring.engine import DEFAULT
from llmnas_mcp.scoring.observation import blocks_of
from llmnas_mcp.spaces import Dataset, get_space
from llmnas_mcp.spaces.nasbench201.network import Cell, Network, Reduction
from tests.scoring import handmade
from tests.scoring.handmade import Counting, Depthwise

SPACE = get_space("nasbench201")
TINY = Dataset("tiny", 8, handmade.CLASSES)
GOOD, NOTHING, SKIP = (3, 1, 3, 1, 2, 3), (0, 0, 0, 0, 0, 0), (0, 0, 0, 1, 0, 0)


class Passes:
    """How many forward and backward passes there were."""

    def __init__(self) -> None:
        self.backward = 0
        self.start = Counting.calls

    @property
    def forward(self) -> int:
        return Counting.calls - self.start


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Passes:
    counts = Passes()
    for name in ("grad", "backward"):
        run = getattr(torch.autograd, name)

        def counting(*args: object, run: object = run, **kwargs: object) -> object:
            counts.backward += 1
            return run(*args, **kwargs)

        monkeypatch.setattr(torch.autograd, name, counting)
    return counts


def measured(*proxies: str) -> None:
    network = Counting(SPACE.network(GOOD, TINY))
    engine.measure(network, TINY, proxies)


def test_one_forward_and_one_backward_pass_serve_the_default_set(passes: Passes) -> None:
    measured(*DEFAULT)
    assert (passes.forward, passes.backward) == (1, 1)


@pytest.mark.parametrize(
    ("proxies", "backward"),
    [
        (("params", "macs", "naswot", "swap", "reg_swap", "meco", "expressivity", "growth", "l2_norm"), 0),
        (("jacov", "epe_nas"), 1),
        (("grad_norm", "snip", "plain", "fisher"), 1),
        (("grad_norm", "zico", "snip"), 2),
        (("jacov", "grad_norm"), 2),
        (("grasp",), 2),
        (("trainability",), 17),
    ],
    ids=str,
)
def test_proxies_of_one_kind_share_their_backward_pass(passes: Passes, proxies: tuple[str, ...], backward: int) -> None:
    measured(*proxies)
    assert (passes.forward, passes.backward) == (1, backward)


@pytest.mark.parametrize(("proxy", "forward"), [("zen", 3), ("synflow", 2)])
def test_those_that_need_other_inputs_run_the_network_on_them(passes: Passes, proxy: str, forward: int) -> None:
    measured(proxy, *DEFAULT)
    assert passes.forward == forward


def test_all_proxies_take_four_forward_passes(passes: Passes) -> None:
    measured(*PROXIES)
    assert passes.forward == 4


@pytest.mark.parametrize("genotype", [GOOD, NOTHING, SKIP, (4, 4, 4, 4, 4, 4)])
def test_the_blocks_of_a_cell_network_are_stem_cells_and_reductions(genotype: tuple[int, ...]) -> None:
    blocks = blocks_of(SPACE.network(genotype, TINY))
    stage = [Cell] * 5
    assert [type(block) for block in blocks] == [nn.Conv2d, *stage, Reduction, *stage, Reduction, *stage]


@pytest.mark.parametrize(
    "wrap", [Counting, nn.Sequential, lambda x: nn.ModuleList([x]), lambda x: Counting(Counting(x))]
)
def test_a_wrapper_has_the_blocks_of_what_it_wraps(wrap: type[nn.Module]) -> None:
    network = SPACE.network(GOOD, TINY)
    assert blocks_of(wrap(network)) == blocks_of(network)


def test_the_blocks_of_a_plain_network_are_its_convolutions_and_composites_in_order() -> None:
    network = handmade.mobile()
    assert [type(b) for b in blocks_of(network)] == [nn.Conv2d, Depthwise, Depthwise, nn.Conv2d, Depthwise]
    assert blocks_of(network) == [network[i] for i in (0, 3, 4, 5, 6)]


def test_a_wrapped_network_has_the_values_of_what_it_wraps() -> None:
    network = handmade.seeded(lambda: Network(GOOD, handmade.CLASSES))
    assert engine.measure(Counting(network), TINY, PROXIES) == engine.measure(network, TINY, PROXIES)
