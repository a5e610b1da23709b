"""What spaces there are: ours, those that were added, those of packages."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from llmnas_mcp.errors import DataError, NotFoundError, SpaceError, UnknownNameError
from llmnas_mcp.search.instruments import list_spaces
from llmnas_mcp.spaces import SPACES, Genotype, Space, get_space, known_spaces, names, space_of
from llmnas_mcp.spaces.registry import add_for_process, forget, load_space, remember, remembered
from tests.spaces.own import BUILD, CHOICES, CIFAR10, HEAD, NAME, Write
from tests.thorough import HUNG


def test_a_name_never_loads_a_file(write_space: Write) -> None:
    spec = write_space("raise SystemExit('this must not run')\n")
    with pytest.raises(UnknownNameError, match=r"Unknown space .*llmnas space add FILE\.py:CLASS") as caught:
        get_space(spec)
    assert "nasbench201" in str(caught.value)


def test_a_space_that_was_added_is_found_by_its_name_until_it_is_removed(write_space: Write, tmp_path: Path) -> None:
    spec = write_space()
    space = remember(spec)
    assert remembered() == {"mine": spec}
    assert get_space("mine") is space is space_of(space.spec) is load_space(spec)
    assert names() == sorted([*SPACES, "mine"])
    assert [s.name for s in known_spaces()[0]] == [*SPACES, "mine"]
    assert [path.name for path in (tmp_path / "tables").glob("*.partial")] == []
    assert forget("mine") == spec
    with pytest.raises(UnknownNameError, match="Unknown space 'mine'"):
        get_space("mine")
    with pytest.raises(NotFoundError, match="No space 'mine' was added"):
        forget("mine")
    with pytest.raises(NotFoundError, match="nasbench201 comes with llmnas-mcp and stays"):
        forget("nasbench201")


def test_a_space_for_one_process_is_not_remembered(write_space: Write) -> None:
    space = add_for_process(write_space())
    assert get_space("mine") is space
    assert remembered() == {}


@pytest.mark.parametrize("add", [remember, add_for_process])
def test_a_name_that_another_file_has_is_refused_while_that_file_is_there(
    add: Callable[[str], Space], write_space: Write, tmp_path: Path
) -> None:
    remember(write_space())
    other = write_space(file="other.py")
    with pytest.raises(SpaceError, match=r"mine is already the space .*mine\.py:Mine\..*llmnas space remove mine"):
        add(other)
    (tmp_path / "mine.py").rename(tmp_path / "moved.py")
    assert add(other).spec == other
    assert get_space("mine").spec == other


def test_a_file_that_went_or_changed_its_name_is_told_and_harms_no_other(write_space: Write, tmp_path: Path) -> None:
    gone = write_space(HEAD + '    name = "gone"\n' + CHOICES + BUILD, "gone.py")
    (tmp_path / "tables").mkdir()
    renamed = write_space(file="renamed.py")
    (tmp_path / "tables" / "spaces.json").write_text(json.dumps({"gone": gone, "formerly": renamed, "mine": renamed}))
    (tmp_path / "gone.py").unlink()
    found, broken = known_spaces()
    assert [space.name for space in found] == [*SPACES, "mine"]
    assert re.search(
        r"Space gone cannot be loaded\. There is no file .*llmnas space remove gone", broken["gone"], re.DOTALL
    )
    assert re.search(r"was added as formerly, and is named mine now: llmnas space add", broken["formerly"])


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', "\udc80"])
def test_a_damaged_list_of_spaces_is_told_and_ours_are_there_all_the_same(content: str, own_folder: Path) -> None:
    own_folder.mkdir()
    (own_folder / "spaces.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert get_space("nasbench201").size == 15_625
    with pytest.raises(DataError, match=r"spaces\.json .*Delete it, and add your spaces again"):
        get_space("mine")
    found, broken = known_spaces()
    assert [space.name for space in found] == [*SPACES]
    assert list(broken) == ["spaces.json"]
    assert list_spaces(Path("none")).unavailable == broken


def test_spaces_that_are_added_at_once_are_all_remembered(write_space: Write) -> None:
    specs = {
        f"mine-{i}": write_space(f'{HEAD}    name = "mine-{i}"\n{CHOICES}{BUILD}', f"mine_{i}.py") for i in range(8)
    }
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(remember, specs.values()))
    assert remembered() == specs


def test_an_edited_file_has_another_edition(write_space: Write) -> None:
    one, same, other = (
        write_space(),
        write_space(file="same.py"),
        write_space(HEAD + NAME + CHOICES + "\n" + BUILD, "other.py"),
    )
    assert load_space(one).edition == load_space(same).edition != load_space(other).edition


def _params(space: Space, genotype: Genotype) -> tuple[str, int]:
    return space.format(genotype), int(space.params([genotype], CIFAR10)[0])


@pytest.mark.thorough
def test_worker_processes_get_the_same_space(write_space: Write) -> None:
    space = load_space(write_space())
    assert pickle.loads(pickle.dumps(space)) is space  # noqa: S301
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert pool.submit(_params, space, (1, 1)).result(HUNG) == _params(space, (1, 1))
        assert pool.submit(_params, get_space("nasbench201"), (3,) * 6).result(HUNG)[1] == 1_531_546


PLUGIN = """
import json, sys
from llmnas_mcp.errors import LabError
from llmnas_mcp.spaces import get_space, known_spaces, names
listed = names()
assert "plug" not in sys.modules, "a package is loaded only when it is named"
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = get_space(name).example
    except LabError as error:
        found[name] = str(error)
spaces, broken = known_spaces()
print(json.dumps([listed, found, [s.name for s in spaces], sorted(broken)]))
"""


@pytest.mark.thorough
def test_spaces_of_packages_are_found_and_a_broken_one_harms_no_other(tmp_path: Path) -> None:
    site = tmp_path / "site"
    info = site / "plugnets-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugnets\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(
        "[llmnas.spaces]\nplugged = plug:Plugged\nbroken = plug_broken:Broken\nwrong = plug:Plugged\n"
        "nothing = plug:nothing\nnasbench201 = plug_broken:Broken\n"
    )
    plugged = HEAD.replace("Mine", "Plugged") + '    name = "plugged"\n' + CHOICES + BUILD
    (site / "plug.py").write_text(f"print('loaded')\n{plugged}")
    (site / "plug_broken.py").write_text("raise RuntimeError('of no use')\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *sys.path])}
    asked = ["plugged", "broken", "wrong", "nothing", "nasbench201"]
    done = subprocess.run([sys.executable, "-c", PLUGIN, *asked], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    listed, found, loaded, broken = json.loads(done.stdout)
    assert listed == sorted([*SPACES, "broken", "nothing", "plugged", "wrong"])
    assert found["plugged"] == "width=8,kernel=3"
    assert found["nasbench201"].startswith("|nor_conv_3x3~0|")
    told = (
        "'broken' of the package plugnets 1.2 cannot be used: RuntimeError: of no use. Mend or uninstall the package."
    )
    assert found["broken"] == told
    assert "it is named plugged in its class" in found["wrong"]
    assert "AttributeError" in found["nothing"]
    assert loaded == [*SPACES, "plugged"]
    assert broken == ["broken", "nothing", "wrong"]
