"""Measuring leaves no trace and depends on nothing but the network and the inputs."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from llmnas_mcp.scoring import engine, inputs
from llmnas_mcp.spaces import DATASETS, Dataset, get_space
from tests.scoring import handmade
from tests.thorough import examples

SPACE = get_space("nasbench201")
TINY = Dataset("tiny", 8, handmade.CLASSES)
GOOD, NOTHING, SKIP = (3, 1, 3, 1, 2, 3), (0, 0, 0, 0, 0, 0), (0, 0, 0, 1, 0, 0)
ALL = handmade.OF_CONVOLUTIONS
MADE = [handmade.mobile, handmade.bare, handmade.dropping, handmade.functional_relu, handmade.in_place]
EVERY = [(made, ALL) for made in MADE] + [
    (made, handmade.OF_TRANSFORMERS) for made in (handmade.transformer_fused, handmade.transformer_torch)
]
every_network = pytest.mark.parametrize(("factory", "proxies"), EVERY, ids=[made.__name__ for made, _ in EVERY])


def fresh(genotype: tuple[int, ...], proxies: tuple[str, ...] = ALL) -> dict[str, float]:
    engine.measure_genotype.cache_clear()
    return dict(zip(proxies, engine.measure_genotype(SPACE, genotype, TINY, proxies), strict=True))


def test_a_network_has_the_same_values_to_the_bit_whatever_was_measured_before() -> None:
    alone = fresh(GOOD)
    torch.manual_seed(7)
    fresh(SKIP)
    engine.measure(handmade.mobile(), TINY, ALL)
    assert fresh(GOOD) == alone


@pytest.mark.parametrize("proxy", ALL)
def test_a_proxy_alone_is_to_the_bit_what_it_is_among_all(proxy: str) -> None:
    network = handmade.seeded(handmade.dropping)
    assert engine.measure(network, TINY, [proxy]) == {proxy: engine.measure(network, TINY, ALL)[proxy]}


@settings(max_examples=examples(12))
@given(st.lists(st.sampled_from(ALL), unique=True))
def test_any_selection_in_any_order_gives_the_same_values_in_that_order(proxies: list[str]) -> None:
    network = handmade.seeded(handmade.mobile)
    whole, some = engine.measure(network, TINY, ALL), engine.measure(network, TINY, proxies)
    assert list(some.items()) == [(name, whole[name]) for name in proxies]


@every_network
def test_a_network_measured_twice_has_the_same_values(
    factory: Callable[[], nn.Module], proxies: tuple[str, ...]
) -> None:
    network = handmade.seeded(factory)
    assert engine.measure(network, TINY, proxies) == engine.measure(network, TINY, proxies)


def test_the_same_factory_builds_the_same_network_every_time() -> None:
    torch.manual_seed(1)
    one = engine.build(handmade.mobile).state_dict()
    torch.manual_seed(2)
    other = engine.build(handmade.mobile).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


@every_network
def test_the_callers_network_stays_as_it_was(factory: Callable[[], nn.Module], proxies: tuple[str, ...]) -> None:
    network = factory().eval()
    next(network.children()).train()
    weights = list(network.parameters())
    weights[0].requires_grad_(False)
    weights[1].grad = torch.ones_like(weights[1])

    def looks(of: nn.Module) -> list[object]:
        flags = [(m.training, getattr(m, "inplace", None), getattr(m, "momentum", None)) for m in of.modules()]
        hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in of.modules()]
        gradients = [(p.requires_grad, None if p.grad is None else p.grad.tolist()) for p in of.parameters()]
        return [flags, hooks, gradients, {name: values.tolist() for name, values in of.state_dict().items()}]

    before, modules = copy.deepcopy(looks(network)), list(network.modules())
    engine.measure(network, TINY, proxies)
    assert looks(network) == before
    assert list(network.modules()) == modules
    assert all(one is other for one, other in zip(network.parameters(), weights, strict=True))


def test_the_callers_random_state_stays_as_it_was() -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    fresh(SKIP)
    engine.measure(engine.build(handmade.dropping), TINY, ALL)
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpy_before).all()


def test_a_network_that_writes_into_its_input_does_not_change_what_the_next_one_sees() -> None:
    before = inputs.batch(8, handmade.CLASSES)[0].clone()

    class Careless(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = handmade.bare()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inside(x.detach().mul_(0.5))

    engine.measure(Careless(), TINY)
    after = inputs.batch(8, handmade.CLASSES)[0]
    try:
        assert torch.equal(after, before)
    finally:
        inputs.batch.cache_clear()  # whatever happened, the tests after this one see the true images


def test_a_network_in_float64_is_measured_like_one_in_float32() -> None:
    network = handmade.seeded(handmade.mobile)
    assert engine.measure(copy.deepcopy(network).double(), TINY, ALL) == engine.measure(network, TINY, ALL)


def test_a_network_in_evaluation_mode_is_measured_in_training_mode() -> None:
    network = handmade.seeded(handmade.mobile)
    assert engine.measure(copy.deepcopy(network).eval(), TINY, ALL) == engine.measure(network, TINY, ALL)


@pytest.mark.thorough
@settings(max_examples=examples(14))
@given(st.tuples(*[st.integers(0, 4)] * 6))
@example(NOTHING)
@example(SKIP)
@example((0, 0, 0, 4, 0, 0))
@example((3, 3, 3, 3, 3, 3))
@example((1, 1, 1, 1, 1, 1))
@example((3, 0, 3, 1, 0, 0))
def test_every_proxy_of_every_cell_is_a_finite_number(genotype: tuple[int, ...]) -> None:
    values = fresh(genotype)
    assert {type(value) for value in values.values()} == {float}
    assert np.isfinite(list(values.values())).all()


@pytest.mark.parametrize("proxy", ["params", "macs", "jacov", "naswot", "expressivity", "synflow", "swap", "grad_norm"])
def test_a_cell_that_computes_nothing_is_the_worst(proxy: str) -> None:
    nothing, skip, good = (fresh(genotype, (proxy,))[proxy] for genotype in (NOTHING, SKIP, GOOD))
    assert nothing <= skip
    assert nothing < good


def test_params_and_macs_of_a_built_network_are_those_its_space_counts() -> None:
    for genotype in (GOOD, NOTHING, (4, 0, 2, 4, 1, 3)):
        values = fresh(genotype, ("params", "macs"))
        assert values["params"] == SPACE.params([genotype], TINY)[0]
        # The space follows NATS-Bench, which counts the classifier's bias as one more operation a class.
        assert values["macs"] == SPACE.macs([genotype], TINY)[0] - TINY.classes


def test_a_parametrised_network_stays_as_it_is_and_can_be_measured_again() -> None:
    network = handmade.bare()
    weight_norm(next(module for module in network.modules() if isinstance(module, nn.Conv2d)))
    images = torch.ones(2, 3, 8, 8)
    before = network.eval()(images)
    first = engine.measure(network, TINY, ("snip", "synflow", "zen"))
    assert torch.equal(network(images), before)
    assert engine.measure(network, TINY, ("snip", "synflow", "zen")) == first


@pytest.mark.parametrize("factory", [handmade.mixer, handmade.encoder, handmade.encoder_batch_second])
def test_a_network_without_convolutions_has_every_proxy_of_the_default_set(factory: Callable[[], nn.Module]) -> None:
    values = engine.measure(handmade.seeded(factory), TINY)
    assert list(values) == list(engine.DEFAULT)
    assert values["meco"] == 0  # which is of convolutions


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["autoformer-tiny", "autoformer-small", "autoformer-base"])
def test_the_networks_of_autoformer_have_every_proxy_of_the_default_set(name: str) -> None:
    space, imagenet = get_space(name), DATASETS["imagenet"]
    smallest = (0,) * len(space.values)
    network = engine.build(lambda: space.network(smallest, imagenet))
    values = engine.measure(network, imagenet)
    assert np.isfinite(list(values.values())).all()
    assert values["params"] == space.params([smallest], imagenet)[0]
    assert values["macs"] == space.macs([smallest], imagenet)[0]
