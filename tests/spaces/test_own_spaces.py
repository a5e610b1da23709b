"""What is wrong with a space that a user wrote is told in one error."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from llmnas_mcp.errors import LabError, SpaceError
from llmnas_mcp.scoring.engine import build, measure
from llmnas_mcp.spaces.checking import check_space
from llmnas_mcp.spaces.registry import load_space
from tests.spaces.own import BUILD, CHOICES, CIFAR10, HEAD, NAME, SMALL, Write


def choices(text: str) -> str:
    return f"{HEAD}{NAME}    choices = {text}\n{BUILD}"


def built(body: str, more: str = "") -> str:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return f"{HEAD}{NAME}{CHOICES}{more}\n    def build(self, chosen, dataset):\n{lines}"


def active(body: str) -> str:
    return f"{HEAD}{NAME}{CHOICES}\n    def active(self, chosen):\n        {body}\n{BUILD}"


# What is wrong when a file is loaded: its text, and what is told.
LOADING = {
    "the class is not in the file": (
        HEAD.replace("Mine", "Other") + NAME + CHOICES + BUILD,
        r"mine\.py has no class Mine\. It has: Other\.",
    ),
    "no space is in the file": ("x = 1\n", r"has no class Mine\. There is no subclass of Space in it\."),
    "the file raises": (
        "x = 1\ny = x / 0\n",
        r"cannot be loaded: ZeroDivisionError: division by zero \(mine\.py, line 2: y = x / 0\)",
    ),
    "the file is no Python": (
        "x = 1\nclass (:\n",
        r"cannot be loaded: SyntaxError: .* \(mine\.py, line 2: class \(:\)",
    ),
    "the file ends its process": ("import sys\nsys.exit(3)\n", r"SystemExit: 3 \(mine\.py, line 2: sys\.exit\(3\)\)"),
    "the file needs what is not installed": (
        "import a_package_of_nobody\n",
        r"ModuleNotFoundError: .*line 1.*Install what has it into this Python: .* -m pip install",
    ),
    "the file needs its neighbour": (
        "import neighbour\n",
        r"line 1.*A space is one file.*move what it needs of neighbour",
    ),
    "it is a class of another kind": (
        "class Mine:\n    pass\n",
        r"is a class, but no subclass of Space: write class Mine\(Space\)",
    ),
    "it is a function": ("def Mine():\n    pass\n", r"is a value of type function, not a class"),
    "it is the base class": ("from llmnas_mcp.spaces import Space as Mine\n", r"has no build: write def build\("),
    "it has no build": (HEAD + NAME + CHOICES, r"has no build: write def build\(self, chosen, dataset\)"),
    "it cannot be made": (
        f"{HEAD}{NAME}{CHOICES}\n    def __init__(self, size):\n        self.extent = size\n{BUILD}",
        r"cannot be made: TypeError: .*'size'.* Mine\(\) must work without arguments",
    ),
    "it has no name": (HEAD + CHOICES + BUILD, r'Mine has no name: write name = "mine"'),
    "its name has capitals": (
        HEAD + '    name = "My Net"\n' + CHOICES + BUILD,
        r"the name 'My Net' is not allowed\. Use 1 to 40 of a-z, 0-9 and '-', as in name = \"my-net\"",
    ),
    "its name is too long": (HEAD + f'    name = "{"a" * 41}"\n' + CHOICES + BUILD, r"is not allowed\. Use 1 to 40"),
    "its name is a number": (HEAD + "    name = 7\n" + CHOICES + BUILD, r"the name 7 is not allowed"),
    "its name is one of ours": (
        HEAD + '    name = "nasbench201"\n' + CHOICES + BUILD,
        r"'nasbench201' is the name of a built-in space\. Give yours another `name`",
    ),
    "it has no choices": (HEAD + NAME + BUILD, r"has no choices: write choices = \{"),
    "choices are no mapping": (choices('[("width", (4, 8))]'), r"choices is of type list, not a mapping"),
    "choices are empty": (choices("{}"), r"choices is empty, so there is nothing to search"),
    "a position has no values": (
        choices('{"width": (), "kernel": (1, 3)}'),
        r"width has no values\. Give it at least one",
    ),
    "a comma is missing": (
        choices('{"width": (4), "kernel": (1, 3)}'),
        r'the values of width are 4, of type int\. Write a tuple, as "width": \(3, 5\)',
    ),
    "a text stands for its letters": (
        choices('{"width": "48"}'),
        r"the values of width are '48', of type str\. Write a tuple",
    ),
    "a set has no order": (choices('{"width": {4, 8}}'), r"of type set\. Write a tuple"),
    "a value is there twice": (choices('{"width": (4, 8, 4)}'), r"width has 4 twice\. Keep one of them"),
    "two values are written alike": (choices('{"width": (1, "1")}'), r"width has 1 and '1', which are written alike"),
    "two values are the same": (choices('{"width": (1, 1.0)}'), r"width has 1\.0 twice, written in two ways"),
    "a value has a comma": (choices('{"width": ("a,b", "c")}'), r"the value 'a,b' of width has a comma in it"),
    "a value has an equals sign": (choices('{"width": ("a=b", "c")}'), r"has an equals sign in it"),
    "a value has a hyphen": (
        choices('{"width": (-1, 1)}'),
        r"the value -1 of width has a hyphen in it.*translate it in build",
    ),
    "a value has a space": (choices('{"width": ("a b", "c")}'), r"has a space in it"),
    "a value is empty": (
        choices('{"width": ("", "c")}'),
        r"the value '' of width stands for a position without a value",
    ),
    "a value is what stands for none": (
        choices('{"width": ("_", "c")}'),
        r"'_' of width stands for a position without",
    ),
    "a value is a class": (
        choices('{"act": (nn.ReLU, nn.GELU)}'),
        r"of type type; allowed are texts, numbers and booleans",
    ),
    "a value is a tuple": (choices('{"width": ((1, 2), (3, 4))}'), r"act|width has the value \(1, 2\) of type tuple"),
    "a position is no text": (choices("{3: (1, 2)}"), r"the position 3 cannot be written in an architecture"),
    "a position has a space": (choices('{"the width": (1, 2)}'), r"the position 'the width' cannot be written"),
    "nothing can be chosen": (choices('{"width": (4,), "kernel": (3,)}'), r"every position has one value"),
    "datasets are a text": (
        HEAD + NAME + '    datasets = "cifar10"\n' + CHOICES + BUILD,
        r"datasets is 'cifar10'.*its comma",
    ),
}
# What is wrong when networks are tried.
TRYING = {
    "active names what is not there": (
        active('return ["width", "kernels"]'),
        r"names 'kernels', which is no position, for width=4, kernel=1\. Positions: width, kernel\.",
    ),
    "active returns a text": (
        active('return "width"'),
        r"returns the text 'width' for .*: return a list of positions, \['width'\]",
    ),
    "active returns nothing": (
        active("pass"),
        r"active of space mine fails for width=4, kernel=1: TypeError.*returns the positions",
    ),
    "active names none": (active("return []"), r"active of space mine returns no position"),
    "active raises": (
        active('return chosen["depth"]'),
        r"active of space mine fails for .*KeyError: 'depth' \(mine\.py, line 12: ",
    ),
    "active asks what does not matter": (
        active(
            'return ["width"] if chosen["kernel"] == 3 else ["width", "kernel"] if chosen["width"] == 4 else ["kernel"]'
        ),
        r"active of space mine asks a position that does not matter",
    ),
    "active leaves out what build uses": (
        active('return ["width"]'),
        r"width=8 of space mine has \d+ parameters .* by a position that `active` leaves out",
    ),
    "build raises": (
        built('width = chosen["depth"]\nreturn nn.Linear(width, 10)'),
        r"build of space mine fails for width=4,kernel=1 and cifar10: KeyError: 'depth'"
        r" \(mine\.py, line 12: width = chosen\[\"depth\"\]\)",
    ),
    "build exits": (built("raise SystemExit(1)"), r"build of space mine fails for .*SystemExit: 1"),
    "build returns nothing": (
        built("nn.Linear(3, 10)"),
        r"build of space mine returns nothing \(None\) for .*end it with `return`",
    ),
    "build returns a list": (
        built("return [nn.Linear(3, 10)]"),
        r"returns a value of type list for .*not a torch\.nn\.Module",
    ),
    "no input fits": (
        built("return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(8, 4, 3))"),
        r"width=4,kernel=1: the network takes no input of cifar10 \(3 x 32 x 32\): RuntimeError: .*, in its layer 1,"
        r" Conv2d\(8, 4, .*Check that the shapes",
    ),
    "the classes are wrong": (
        built("return nn.Sequential(nn.Flatten(), nn.Linear(3072, 7))"),
        r"of one input of cifar10 \(3 x 32 x 32\) the network gives shape \(1, 7\), not \(1, 10\)",
    ),
    "pixels are left": (built("return nn.Conv2d(3, 10, 3)"), r"gives shape \(1, 10, 30, 30\), not \(1, 10\)"),
    "the output is a pair": (
        built("class Pair(nn.Module):\n    def forward(self, x):\n        return x, x\nreturn Pair()"),
        r"the network gives a value of type tuple, not a tensor",
    ),
    "it is too large": (
        built("return nn.Sequential(nn.Flatten(), nn.Linear(3072, 340_000), nn.ReLU(), nn.Linear(340_000, 10))"),
        r"width=4,kernel=1 of space mine has 1,048,220,010 parameters; 500,000,000 are the most",
    ),
    "it has no layers": (
        built(
            "class Bare(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.weight = nn.Parameter(torch.ones(3072, 10))\n"
            "    def forward(self, x):\n        return x.flatten(1) @ self.weight\nreturn Bare()"
        ),
        r"has no nn\.Conv2d and no nn\.Linear, which is what scores look at",
    ),
    "it has no parameters": (
        built("class Bare(nn.Module):\n    def forward(self, x):\n        return x.flatten(1)[:, :10]\nreturn Bare()"),
        r"has no parameters that could be trained",
    ),
    "the output does not depend on the input": (
        built(
            "class Deaf(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(3600, 10))\n"
            "    def forward(self, x):\n        return self.layers(torch.ones_like(x))\nreturn Deaf()"
        ),
        r"The output of width=\d,kernel=\d of space mine does not depend on its input.*constant\(self, genotype\)",
    ),
    "the batch is mixed up": (
        built("return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(0), nn.Unflatten(0, (1, -1)), nn.Linear(3600, 10))"),
        r"fails on a batch of two inputs: RuntimeError",
    ),
    "its own count is wrong": (
        HEAD
        + NAME
        + CHOICES
        + "\n    def params(self, genotypes, dataset):\n        return [7 for _ in genotypes]\n"
        + BUILD,
        r"params of space mine says 7 of width=4,kernel=1, and the network that build returns has 86\. Mend params",
    ),
    "it cannot be scored": (
        HEAD + NAME + CHOICES + BUILD.replace("return", "net =") + "        net[0].weight.data.fill_(1e30)\n"
        "        net[2].weight.data.fill_(1e30)\n        return net\n",
        r"width=4,kernel=1 of space mine cannot be scored\. The network gives inf or NaN",
    ),
    "the dataset is not one of its": (
        HEAD + NAME + '    datasets = ("imagenet",)\n' + CHOICES + BUILD,
        r"Unknown dataset of space mine 'cifar10'\. Allowed: imagenet\.",
    ),
}


@pytest.mark.parametrize("mistake", LOADING)
def test_what_is_wrong_with_a_file_is_told_when_it_is_loaded(mistake: str, write_space: Write, tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("x = 1\n")
    text, expected = LOADING[mistake]
    with pytest.raises(SpaceError) as caught:
        load_space(write_space(text))
    told = str(caught.value)
    assert re.search(expected, told), told
    assert str(tmp_path / "mine.py") in told
    assert len(told) < 700
    assert load_space(write_space()).name == "mine", "once mended, it is loaded in the same process"


@pytest.mark.parametrize("mistake", TRYING)
def test_what_is_wrong_with_networks_is_told_by_a_check(mistake: str, write_space: Write) -> None:
    text, expected = TRYING[mistake]
    space = load_space(write_space(text))
    with pytest.raises(LabError) as caught:
        check_space(space, CIFAR10, lambda factory, shape: measure(build(factory), shape))
    assert re.search(expected, str(caught.value)), str(caught.value)
    assert len(str(caught.value)) < 900


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("nowhere.py:Mine", r"There is no file /.*nowhere\.py\. Write FILE\.py:CLASS"),
        ("mine.py", r"'mine\.py' names no space\. Write FILE\.py:CLASS"),
        ("mine.py:", r"'mine\.py:' names no space"),
        ("mine.py:Mine()", r"names no space"),
        ("mine.txt:Mine", r"'mine\.txt' is no Python file"),
        ("", r"'' names no space"),
    ],
)
def test_what_names_no_file_and_class_is_refused(spec: str, expected: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpaceError, match=expected):
        load_space(spec)


def test_one_value_at_a_position_is_allowed_and_so_is_a_space_without_surprises(write_space: Write) -> None:
    space = load_space(write_space(choices('{"width": (4, 8), "kernel": (3,)}')))
    found = check_space(space, SMALL, lambda factory, shape: measure(build(factory), shape))
    assert [s.architecture for s in found.samples[-2:]] == ["width=4,kernel=3", "width=8,kernel=3"]
    assert found.samples[-1].short == "8-3"
    assert found.scored[0].architecture == "width=4,kernel=3"
    assert all(math.isfinite(value) for value in found.scored[0].proxies.values())
