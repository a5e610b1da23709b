"""One pass serves all, over the right blocks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from llmnas_mcp.scoring import PROXIES, engine, inputs
from llmnas_mcp.scoring.engine import DEFAULT
from llmnas_mcp.scoring.observation import Observation, blocks_of
from llmnas_mcp.spaces import Dataset, get_space
from llmnas_mcp.spaces.autoformer.network import Residual
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
    measured(*handmade.OF_CONVOLUTIONS)
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
    proxies = handmade.OF_CONVOLUTIONS
    assert engine.measure(Counting(network), TINY, proxies) == engine.measure(network, TINY, proxies)


def test_the_blocks_of_an_autoformer_are_what_follows_each_residual_connection() -> None:
    network = handmade.autoformer()
    assert [type(block) for block in blocks_of(network)] == [nn.Conv2d, *[Residual] * 6]
    blocks = Observation(network, *inputs.batch(32, handmade.CLASSES)).blocks
    assert [tuple(block.shape) for block in blocks] == [(16, 5, 24)] * 6  # the patches are no block


def test_the_blocks_of_an_encoder_are_its_layers() -> None:
    for network in (handmade.encoder(), Counting(handmade.encoder_batch_second())):
        assert [type(block) for block in blocks_of(network)] == [nn.TransformerEncoderLayer] * 3


def test_the_blocks_of_a_network_that_goes_from_images_to_tokens_are_those_of_both_and_each_kind_is_compared() -> None:
    convolutions = [nn.Conv2d(3, 12, 3, padding=1), nn.Conv2d(12, 12, 3, padding=1), nn.Conv2d(12, 12, 2, stride=2)]
    blocks = [handmade.Block(12, handmade.Attention(12, 3)) for _ in range(2)]
    last = [nn.AdaptiveAvgPool2d((1, 12)), nn.Flatten(), nn.Linear(12, handmade.CLASSES)]
    seen = Observation(nn.Sequential(*convolutions, Tokens(), *blocks, *last), *inputs.batch(8, handmade.CLASSES))
    images, tokens = (16, 12, 8, 8), (16, 16, 12)
    assert [tuple(block.shape) for block in seen.blocks] == [images, images, (16, 12, 4, 4), tokens, tokens]
    gains = [seen.entropies[i] - seen.entropies[i - 1] for i in (1, 2, 4)]
    assert PROXIES["progressivity"].measure(seen) == min(gains)
    assert PROXIES["growth"].measure(seen) == pytest.approx(gains[0] + gains[2])


class Tokens(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2).mT
