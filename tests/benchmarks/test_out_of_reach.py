"""No search sees a judge: it opens neither imported accuracies nor the surrogate, and finds the same without them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmnas_mcp.benchmarks import import_accuracies
from llmnas_mcp.benchmarks.surrogate import FOLDER
from llmnas_mcp.spaces import Space

WATCHED = """
import asyncio, json, os, sys
from pathlib import Path

opened, forbidden = [], [Path(p).resolve() for p in json.loads(sys.argv[1])]

def note(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        path = Path(os.fsdecode(arguments[0])).resolve()
        if path in forbidden:
            opened.append(str(path))

sys.addaudithook(note)
"""

SEARCH = """
from llmnas_agents.graph import MOST_STEPS, build_graph
from llmnas_agents.laboratory import open_laboratory
from llmnas_agents.operators import get_operator
from llmnas_agents.state import Deps

async def search():
    async with open_laboratory(store=f"sqlite:///{sys.argv[2]}") as lab:
        started = await lab.start_search(device="raspi4", evaluations=60, seed=4)
        context = Deps(lab, get_operator("evolution"))
        await build_graph().ainvoke({"search_id": started.search_id}, {"recursion_limit": MOST_STEPS}, context=context)
        searched = list(opened)  # afterwards it is judged
        points = (await lab.compute_pareto_front(started.search_id)).front
        accuracies = {"grade", "accuracy", "accuracy_source", "accuracy_error"}  # told of a search that is over
        return [point.model_dump(exclude=accuracies) for point in points], searched

front, searched = asyncio.run(search())
print(json.dumps({"front": front, "opened": searched, "after": opened}))
"""

JUDGE = """
from llmnas_mcp.benchmarks import accuracy_of
from llmnas_mcp.spaces import get_space

accuracy_of(get_space("nasbench201"), [(3,) * 6], dataset="cifar10", data=Path(sys.argv[2]))
print(json.dumps({"opened": opened}))
"""


@pytest.fixture
def judged(space: Space, data: Path, write: Callable[..., Path]) -> Path:
    """The file of accuracies imported for the whole space: the cell with the most skips is made out to be the best."""
    rows = [{"arch_str": space.format(c), "cifar10_test_200": 90 + c.count(1)} for c in space.genotypes()]
    import_accuracies(write("mine.csv", rows), space, data)
    return data / "accuracy.nasbench201.cifar10.npz"


def watched(program: str, judged: Path, *arguments: Path) -> dict[str, Any]:
    files = json.dumps([str(judged), *(str(path) for path in FOLDER.iterdir())])
    done = subprocess.run(
        [sys.executable, "-c", WATCHED + program, files, *map(str, arguments)],
        env={**os.environ, "LLMNAS_DATA": str(judged.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.thorough
def test_a_search_never_opens_a_judge_and_finds_the_same_where_it_cannot_be_read(judged: Path, tmp_path: Path) -> None:
    with_judge = watched(SEARCH, judged, tmp_path / "one.db")
    judged.write_bytes(b"garbage")
    without = watched(SEARCH, judged, tmp_path / "two.db")
    assert len(with_judge["front"]) > 5
    assert without["front"] == with_judge["front"]
    assert with_judge["opened"] == without["opened"] == []
    # The same watch does see what the finished search is judged by.
    assert str(judged.resolve()) in with_judge["after"]


def test_the_watch_sees_a_judge_that_is_opened(judged: Path, data: Path) -> None:
    expected = [str(judged.resolve()), str((FOLDER / "nasbench201.npz").resolve())]
    assert sorted(set(watched(JUDGE, judged, data)["opened"])) == sorted(expected)
