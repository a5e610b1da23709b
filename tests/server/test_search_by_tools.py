"""A whole search by tools alone, over stdio, as a person's client would drive it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.server.conftest import CELL, answer, error, session

pytestmark = pytest.mark.anyio


async def test_a_search_goes_from_brief_to_front(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        started = await answer(client, "start_search", device="raspi4", evaluations=120, max_latency=40.0)
        name = started["search_id"]
        assert [n["niche"] for n in started["niches"]] == list(range(len(started["niches"])))
        for round_ in (1, 2, 3):
            search = await answer(client, "get_search", search_id=name)
            for niche in (n for n in search["niches"] if n["share"]):
                where = {"search_id": name, "niche": niche["niche"]}
                brief = await answer(client, "get_brief", **where)
                assert brief["round"] == round_
                mined = await answer(client, "mine_rules", **where)
                edits = [
                    {"action": "add", **{k: e[k] for k in ("statement", "pattern", "target", "effect", "confidence")}}
                    for e in mined["effects"][:3]
                ]
                if edits:
                    known = await answer(client, "update_knowledge_base", **where, edits=edits)
                    assert known["version"] >= 1
                bred = await answer(client, "breed_architectures", **where, count=niche["share"])
                submitted = await answer(
                    client,
                    "submit_architectures",
                    **where,
                    architectures=[o["architecture"] for o in bred["offspring"]],
                    origins=[o["origin"] for o in bred["offspring"]],
                )
                assert {r["status"] for r in submitted["results"]} == {"kept"}
        search = await answer(client, "get_search", search_id=name)
        front = await answer(client, "compute_pareto_front", search_id=name)
        members = await answer(client, "list_niche_members", search_id=name, limit=5)
        listed = await answer(client, "list_searches")
        picture = (await client.call_tool("plot_pareto_front", {"search_id": name})).content[0]
    assert 0 < search["used"] <= 120
    assert [entry["round"] for entry in search["history"]] == [1, 2, 3]
    values = [entry["hypervolume"] for entry in search["history"]]
    assert values == sorted(values)
    assert all(point["cost"] <= 40.0 for point in front["front"])
    assert 0 < front["share"] <= 1
    assert front["igd"] >= front["igd_plus"] >= 0
    assert members["truncated"]
    assert "offset=5" in members["next"]
    assert listed["searches"][0]["search_id"] == name
    assert picture.mime_type == "image/png"
    assert base64.b64decode(picture.data).startswith(b"\x89PNG")


async def test_submitting_tells_for_each_architecture_what_became_of_it(tmp_path: Path) -> None:
    with_dead_edge = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    async with session(tmp_path) as client:
        name = (await answer(client, "start_search", device="raspi4", evaluations=2))["search_id"]
        asked = [CELL, CELL, "|nonsense|", with_dead_edge, CELL.replace("none", "skip_connect")]
        first = await answer(client, "submit_architectures", search_id=name, architectures=asked)
        again = await answer(client, "submit_architectures", search_id=name, architectures=[CELL], niche=0)
    assert [r["status"] for r in first["results"]] == ["kept", "duplicate", "refused", "kept", "refused"]
    assert "valid cell" in first["results"][2]["reason"]
    assert first["results"][3]["architecture"] == "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    assert "budget" in first["results"][4]["reason"]
    assert (first["used"], first["left"]) == (2, 0)
    assert again["results"][0]["status"] == "refused"
    assert "niche 2" in again["results"][0]["reason"]


async def test_a_search_that_is_not_there_says_which_are(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        empty = await error(client, "get_search", search_id="nothing")
        name = (await answer(client, "start_search", device="fpga"))["search_id"]
        text = await error(client, "get_brief", search_id="nothing", niche=0)
        niche = await error(client, "get_brief", search_id=name, niche=7)
    assert "start_search" in empty
    assert name in text
    assert "0 to 6" in niche


async def test_a_limit_nothing_meets_is_refused_with_the_fastest(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        text = await error(client, "start_search", device="eyeriss", max_latency=0.1)
    assert "Raise the limit" in text


async def test_a_search_that_cannot_be_is_refused_with_what_can(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"objective": ["latency", "energy", "macs"]}, "objective=latency, energy, macs: give one or two different"),
        ({"objective": ["energy", "energy"]}, "objective=energy, energy: give one or two different ones"),
        ({"objective": []}, "objective=none: give one or two different ones"),
        ({"objective": "macs"}, "the same on every device. Leave device='edgegpu' out, or choose latency, energy"),
        ({"objective": "macs", "max_params": 1.0}, "the same on every device"),
        ({"device": None, "objective": "macs", "max_latency": 5.0}, "latency depends on the device: give one of"),
        ({"device": None, "objective": ["macs", "energy"]}, "energy depends on the device: give one of"),
        ({"device": "raspi4", "max_energy": 5.0}, "No energy was published for raspi4. Devices with energy: edgegpu"),
        ({"objective": "memory"}, "No memory was published for edgegpu. Devices with memory: none"),
        ({"max_memory": 5.0}, "import a table with a column edgegpu_memory: llmnas data import"),
        ({"objective": "power"}, "objective"),
        ({"max_energy": 0}, "max_energy"),
        ({"max_cost": 5.0}, "max_cost"),
    ]
    async with session(tmp_path) as client:
        for settings, said in cases:
            assert said in await error(client, "start_search", **{"device": "edgegpu", **settings})
        assert (await answer(client, "list_searches"))["total"] == 0
        # A limit may be the only thing for which a device is needed.
        one = await answer(client, "start_search", device="edgegpu", objective="macs", max_latency=5.0)
    assert one["units"] == ["M"]
    assert one["search_id"].startswith("edgegpu-cifar10-")


async def test_a_rule_in_a_search_for_two_costs_is_on_one_of_them_by_its_name(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        names = [
            (await answer(client, "start_search", device="edgegpu", objective=objective))["search_id"]
            for objective in (["latency", "energy"], "latency")
        ]
        became = []
        for name in names:
            edits = [
                {"action": "add", "statement": f"about {target}", "target": target}
                for target in ("score", "cost", "latency", "energy")
            ]
            known = await answer(client, "update_knowledge_base", search_id=name, niche=0, edits=edits)
            became.append([(result["status"], result["reason"]) for result in known["results"]])
        unknown = await error(
            client,
            "update_knowledge_base",
            search_id=names[0],
            niche=0,
            edits=[{"action": "add", "statement": "x", "target": "speed"}],
        )
    cost = "target 'cost' is not one of this search: use one of score, latency, energy"
    others = [f"target '{name}' is not one of this search: use one of score, cost" for name in ("latency", "energy")]
    assert became[0] == [("added", None), ("refused", cost), ("added", None), ("added", None)]
    assert became[1] == [("added", None), ("added", None), ("refused", others[0]), ("refused", others[1])]
    assert "target" in unknown


async def test_points_with_two_costs_by_name_have_a_front_in_all_three(tmp_path: Path) -> None:
    points = [
        {"architecture": "fast", "score": 0.2, "costs": {"latency": 1.0, "energy": 9.0}},
        {"architecture": "saving", "score": 0.1, "costs": {"latency": 3.0, "energy": 1.0}},
        {"architecture": "beaten", "score": 0.1, "costs": {"latency": 3.0, "energy": 2.0}},
    ]
    async with session(tmp_path) as client:
        front = await answer(client, "compute_pareto_front", points=points)
        mixed = await error(client, "compute_pareto_front", points=[*points, {**points[0], "costs": {"macs": 1.0}}])
    assert [(p["architecture"], p["cost"], p["costs"]) for p in front["front"]] == [
        ("fast", 1.0, {"latency": 1.0, "energy": 9.0}),
        ("saving", 3.0, {"latency": 3.0, "energy": 1.0}),
    ]
    assert "points[3] has other costs than points[0]: give all the same, latency, energy" in mixed


async def test_points_given_instead_of_a_search_have_a_front(tmp_path: Path) -> None:
    points = [
        {"architecture": "fast", "score": 0.2, "cost": 1.0},
        {"architecture": "beaten", "score": 0.1, "cost": 2.0},
        {"architecture": "strong", "score": 0.9, "cost": 3.0},
    ]
    async with session(tmp_path) as client:
        front = await answer(client, "compute_pareto_front", points=points)
        neither = await error(client, "compute_pareto_front")
    assert [p["architecture"] for p in front["front"]] == ["fast", "strong"]
    assert front["hypervolume"] == pytest.approx(0.2)
    assert "either" in neither


async def test_a_second_server_on_the_same_store_goes_on_with_the_search(tmp_path: Path) -> None:
    async with session(tmp_path) as one:
        name = (await answer(one, "start_search", device="raspi4"))["search_id"]
        async with session(tmp_path) as other:
            await answer(one, "submit_architectures", search_id=name, architectures=[CELL])
            seen = await answer(other, "submit_architectures", search_id=name, architectures=[CELL])
            assert seen["results"][0]["status"] == "duplicate"
            search = await answer(other, "get_search", search_id=name)
    assert search["used"] == 1


async def test_a_round_that_lies_ahead_is_refused(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        name = (await answer(client, "start_search", device="raspi4"))["search_id"]
        text = await error(client, "submit_architectures", search_id=name, architectures=[CELL], round=7)
        wrong = await error(client, "submit_architectures", search_id=name, architectures=[CELL], rond=1)
    assert "choose 1 to 1" in text
    assert "did you mean 'round'?" in wrong


async def test_a_front_comes_with_the_network_to_take_within_limits(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        search_id = (await answer(client, "start_search", device="raspi4", evaluations=30, niches=1))["search_id"]
        empty = await answer(client, "compute_pareto_front", search_id=search_id)
        assert (empty["picks"], empty["why"]) == ([], "Nothing is evaluated yet.")
        bred = await answer(client, "breed_architectures", search_id=search_id, niche=0, count=30)
        cells = [one["architecture"] for one in bred["offspring"]]
        await answer(client, "submit_architectures", search_id=search_id, architectures=cells[:29])
        under_way = await answer(client, "compute_pareto_front", search_id=search_id, limits={"latency": 30}, top=2)
        assert [pick["grade"] for pick in under_way["picks"]] == ["score", "score"]
        await answer(client, "submit_architectures", search_id=search_id, architectures=cells[29:])
        done = await answer(client, "compute_pareto_front", search_id=search_id, limits={"latency": 30})
        assert [pick["grade"] for pick in done["picks"]] == ["estimated"] * 3
        assert all(pick["cost"] <= 30 for pick in done["picks"])
        assert done["why"].startswith("Within 30 ms: take ")
        refused = await client.call_tool("compute_pareto_front", {"search_id": search_id, "limits": {"latency": 0.01}})
        assert "the least there is" in refused.content[0].text
        wrong = await client.call_tool("compute_pareto_front", {"points": [], "limits": {"latency": 1}})
        assert "give search_id" in wrong.content[0].text
