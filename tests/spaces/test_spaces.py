from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmnas_mcp.errors import LabError, UnknownNameError
from llmnas_mcp.spaces import DATASETS, SPACES, Space, dataset_shape, get_space


def test_an_unknown_space_is_refused_with_those_there_are_and_the_nearest() -> None:
    with pytest.raises(
        UnknownNameError,
        match=r"'nasbench101'.*Allowed: autoformer-base, .*, fbnet, nasbench201\. Did you mean 'nasbench201'\?",
    ):
        get_space("nasbench101")


@given(st.text(max_size=300).filter(lambda name: name not in SPACES))
def test_any_other_name_is_a_mistake_told_in_a_short_text(name: str) -> None:
    with pytest.raises(LabError, match=r"Allowed: autoformer-base, .*, fbnet, nasbench201") as caught:
        get_space(name)
    assert len(str(caught.value)) < 1200


def test_every_space_gives_an_example_of_its_notation() -> None:
    for space in SPACES.values():
        assert space.format(space.parse(space.example)) == space.example


def test_every_position_has_its_choices(space: Space) -> None:
    assert space.positions == ("0->1", "0->2", "1->2", "0->3", "1->3", "2->3")
    assert len(space.choices) == len(space.positions)
    assert all(len(values) == 5 for values in space.choices.values())
    assert space.values == space.words == tuple(tuple(values) for values in space.choices.values())


def test_the_datasets_of_the_benchmarks_have_their_shapes() -> None:
    shapes = {name: (dataset.resolution, dataset.classes) for name, dataset in DATASETS.items()}
    assert shapes == {"cifar10": (32, 10), "cifar100": (32, 100), "ImageNet16-120": (16, 120), "imagenet": (224, 1000)}
    assert all(dataset_shape(name) is dataset for name, dataset in DATASETS.items())


def test_importing_and_using_spaces_does_not_import_torch() -> None:
    program = (
        "import sys; from llmnas_mcp.spaces import DATASETS, get_space\n"
        "space = get_space('nasbench201'); cells = space.sample(9, __import__('numpy').random.default_rng(0))\n"
        "space.params(cells, DATASETS['cifar10']); space.macs(cells, DATASETS['cifar10'])\n"
        "space.source_code((3, 0, 3, 1, 0, 2), DATASETS['cifar10'])\n"
        "print(sorted({'torch', 'moocore', 'pymoo', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
