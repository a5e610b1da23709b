"""The text of an answer, which is what a model reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.server.answers import text_of
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import get_space
from tests.server.conftest import answer, session

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("name", "dataset"), [("nasbench201", "cifar100"), ("fbnet", "cifar100"), ("autoformer-base", "imagenet")]
)
def test_the_text_of_a_brief_is_a_third_shorter_than_its_structured_form_and_says_the_same(
    name: str, dataset: str, tmp_path: Path
) -> None:
    lab = Laboratory(Settings(store=f"sqlite:///{tmp_path}/llmnas.db", data=tmp_path))
    space = get_space(name)
    search_id = lab.start_search(space=name, dataset=dataset, objective="macs", scored_by="params", niches=1).search_id
    bred = lab.breed_architectures(search_id, 0, 12)
    lab.submit_architectures(search_id, [o.architecture for o in bred.offspring], 0)
    brief = lab.get_brief(search_id, 0).model_dump(mode="json")
    lab.close()
    text = text_of(brief, space)
    assert len(text) < 2 / 3 * len(json.dumps(brief))
    read = json.loads(text)
    assert space.parse(read["short"]) == space.parse(read["example"])
    assert [space.parse(a) for a in read["tried"]] == [space.parse(a) for a in brief["tried"]]
    assert len(read["tried"]) == 12
    assert [m["score"] for m in read["parents"]] == [m["score"] for m in brief["parents"]]


async def test_a_model_can_go_on_with_the_forms_that_it_reads(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        search_id = (await answer(client, "start_search", device="fpga", niches=1, evaluations=8))["search_id"]
        where = {"search_id": search_id, "niche": 0}
        bred = json.loads((await client.call_tool("breed_architectures", {**where, "count": 4})).content[0].text)
        asked = {"architectures": [o["architecture"] for o in bred["offspring"]]}
        assert all(len(architecture) == 6 for architecture in asked["architectures"])
        sent = await client.call_tool("submit_architectures", {**where, **asked})
        assert json.loads(sent.content[0].text)["results"][0]["architecture"] == asked["architectures"][0]
        assert [found["status"] for found in sent.structured_content["results"]] == ["kept"] * 4
        costs = await client.call_tool("query_latency", {"device": "fpga", **asked})
        assert [found["architecture"] for found in json.loads(costs.content[0].text)["results"]] == asked[
            "architectures"
        ]
