"""A model in a chat can do all of a search by what prompts and answers say, held against a transcript."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.shared.exceptions import MCPError

from llmnas_mcp.spaces import get_space
from tests import snapshots, warm
from tests.server.conftest import answer, server, session
from tests.server.scripted import Answer, Namer, Scientist, calls

pytestmark = pytest.mark.anyio

TRANSCRIPT = Path(__file__).parent / "transcripts" / "search_for_device.md"
HEAD = """# From the prompt search_for_device to a network

A scripted client holds this conversation over stdio. It follows nothing but the prompts and each answer's `next`; of
the answers it writes down the gist."""


TINYNET = f"{Path(__file__).parents[2]}/examples/tinynet.py:TinyNet"
BLOCKS = TRANSCRIPT.with_name("fbnet_macs.md")
BLOCKS_HEAD = """# From a wish to a network of FBNet

A scripted client holds this conversation over stdio, without a prompt: it reads what spaces there are, begins a search
and follows each answer's `next`. No device is needed, for the cost is the number of MACs. Proxies are not measured but
those of the nearest network that ships. Architectures stand here in short, one digit a layer."""


BOTH = TRANSCRIPT.with_name("two_costs.md")
BOTH_HEAD = """# From a wish for two low costs to a front of both

A scripted client holds this conversation over stdio, without a prompt: it begins a search for low latency and low
energy, with limits on energy and parameters, and follows each answer's `next`. What it designs it prices by both."""


async def converse(client: Client) -> Scientist:
    """From the prompt by a small search to its front, an explanation and a network."""
    scientist = Scientist(client)
    scientist.transcript += [HEAD, f"## Instructions\n\n{client.instructions}"]
    prompt = await scientist.take("search_for_device", device="raspi4", max_latency="70")
    scientist.say("User", "A small search will do: 3 niches, 48 evaluations, 4 a niche and round.")
    front = await scientist.search(prompt, niches=3, evaluations=48, offspring=4)
    after = dict(calls(front["next"]))
    await scientist.call("plot_pareto_front", **after["plot_pareto_front"])
    scientist.say("User", "Which one shall I take?")
    choices = await explain(scientist, after["plot_pareto_front"]["search_id"])
    scientist.say("User", "The one between, please.")
    await scientist.call("export_architecture", **after["export_architecture"] | {"architecture": choices[1]})
    return scientist


async def explain(scientist: Scientist, search_id: str) -> list[str]:
    """The report that the second prompt asks for; returns three choices, the fastest first."""
    asked = dict(calls(await scientist.take("explain_front", search_id=search_id)))
    search = await scientist.call("get_search", **asked["get_search"])
    front = await scientist.call("compute_pareto_front", **asked["compute_pareto_front"])
    where = {"space": search["space"], "dataset": search["dataset"]}
    scored = await scientist.call("score_zero_cost", **asked["score_zero_cost"] | where)
    rules = await read(scientist.client, f"llmnas://searches/{search_id}/knowledge")
    strict = [point for point in front["front"] if not point["near"] and point["score"] > 0.5]
    choices = {"Fast": strict[0], "Between": strict[len(strict) // 2], "Strong": strict[-1]}
    names = [choice["architecture"] for choice in choices.values()]
    costs = (await scientist.call("query_latency", architectures=names, device=search["device"]))["results"]
    for (name, choice), cost in zip(choices.items(), costs, strict=True):
        price = f"{cost['value']:.3g} {cost['unit']} give or take {cost['error']:.1%}"
        scientist.say("Scientist", f"{name}: {choice['architecture']}, score {choice['score']:.3f}, {price}.")
    best = max((rule for rule in rules["rules"] if rule["target"] == "score"), key=lambda rule: rule["effect"])
    scientist.say("Scientist", f"What makes cells strong: {best['statement']}, as in {best['evidence'][0]}.")
    worth = f"{scored['worth'][0]['spearman']:.3f} ({scored['worth_source']})"
    scientist.say(
        "Scientist", f"A score is a training-free rank, not an accuracy. Its rank correlation with it: {worth}."
    )
    return names


async def read(client: Client, uri: str) -> Answer:
    found: Answer = json.loads((await client.read_resource(uri)).contents[0].text)
    return found


async def test_the_conversation_reads_as_its_transcript(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        scientist = await converse(client)
    # The id follows from the settings and the costs, down to the last digit of these.
    said = re.sub(r"raspi4-cifar10-[0-9a-f]{6}", "SEARCH", "\n\n".join(scientist.transcript)) + "\n"
    snapshots.check(TRANSCRIPT, said)


async def test_a_conversation_in_a_space_too_large_to_list_reads_as_its_transcript(tmp_path: Path) -> None:
    settings = {"space": "fbnet", "dataset": "cifar100", "objective": "macs", "max_params": 3.0}
    args = ["-m", "tests.server.unmeasured"]
    unmeasured = server(tmp_path).model_copy(update={"command": sys.executable, "args": args})
    async with Client(unmeasured) as client:
        scientist = Namer(client)
        scientist.transcript.append(BLOCKS_HEAD)
        scientist.say(
            "User", "Networks of FBNet for CIFAR-100 with few MACs, and at most 3 M parameters. A small search."
        )
        await scientist.call("list_spaces")
        front = await scientist.search("start_search()", **settings, niches=2, evaluations=24, offspring=4)
        after = dict(calls(front["next"]))
        await scientist.call("plot_pareto_front", **after["plot_pareto_front"])
        chosen = [point for point in front["front"] if not point["near"]][len(front["front"]) // 2]
        wanted = after["export_architecture"] | {"architecture": chosen["architecture"]}
        code = (await scientist.call("export_architecture", **wanted))["code"]
        search = await answer(client, "get_search", **after["plot_pareto_front"])
        briefs = [a for tool, _, a in scientist.answers if tool == "get_brief"]
        rules = await read(client, f"llmnas://searches/{search['search_id']}/knowledge")
    said = re.sub(r"macs-cifar100-[0-9a-f]{6}", "SEARCH", "\n\n".join(scientist.transcript)) + "\n"
    snapshots.check(BLOCKS, re.sub(r"layer\.0=[\w.=,]+", lambda found: short(found[0]), said))
    assert (search["device"], search["units"], search["cut"], search["done"]) == (None, ["M"], "equal steps", True)
    assert search["used"] == 24
    assert all(niche["size"] is None for niche in search["niches"])
    assert all(brief["untried"] is None for brief in briefs)
    assert rules["rules"]
    assert all(point["params_m"] <= 3 for point in front["front"])
    assert chosen["short"] == short(chosen["architecture"])
    made: Answer = {}
    exec(code, made)  # what a user is to run
    network = made["build"]()
    assert sum(parameter.numel() for parameter in network.parameters()) == round(chosen["params_m"] * 1e6)


async def test_a_conversation_for_two_costs_reads_as_its_transcript(tmp_path: Path) -> None:
    settings = {"device": "edgegpu", "objective": ["latency", "energy"], "max_params": 1.0, "max_energy": 60.0}
    async with session(tmp_path) as client:
        scientist = Scientist(client)
        scientist.transcript.append(BOTH_HEAD)
        scientist.say(
            "User",
            "Networks for the edge GPU, fast and saving energy: at most 1 M parameters and 60 mJ. A small search.",
        )
        front = await scientist.search("start_search()", **settings, niches=2, evaluations=36, offspring=6)
        after = dict(calls(front["next"]))
        await scientist.call("plot_pareto_front", **after["plot_pareto_front"])
        search = await scientist.call("get_search", **after["plot_pareto_front"])
        schemas = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
        listed = await answer(client, "list_niche_members", search_id=search["search_id"], sort="cost", limit=50)
        rules = (await read(client, f"llmnas://searches/{search['search_id']}/knowledge"))["rules"]
    said = re.sub(r"edgegpu-cifar10-[0-9a-f]{6}", "SEARCH", "\n\n".join(scientist.transcript)) + "\n"
    snapshots.check(BOTH, said)
    assert (search["objectives"], search["units"]) == (["latency", "energy"], ["ms", "mJ"])
    assert search["limits"] == {"energy": 60.0, "params": 1.0}
    assert (search["used"], search["done"]) == (36, True)
    assert len(search["cost_low"]) == len(search["cost_high"]) == 2
    points = [point for point in front["front"] if not point["near"]]
    assert points
    for point in [*front["front"], *listed["members"]]:
        assert list(point["costs"]) == ["latency", "energy"]
        assert (point["cost"], point["unit"]) == (point["costs"]["latency"], "ms")
        assert point["costs"]["energy"] <= 60
        assert point["params_m"] <= 1
    asked = [a["objective"] for tool, a, _ in scientist.answers if tool == "query_latency"]
    assert {*asked} == {"latency", "energy"}
    effects = [e for tool, _, a in scientist.answers if tool == "mine_rules" for e in a["effects"]]
    assert {e["target"] for e in effects} == {"score", "latency", "energy"}
    assert {rule["target"] for rule in rules} <= {"score", "latency", "energy"}
    briefs = [a for tool, _, a in scientist.answers if tool == "get_brief"]
    assert {gap["objective"] for brief in briefs for gap in brief["gaps"]} == {"latency", "energy"}
    for tool, _, found in scientist.answers:
        if schemas[tool]:
            Draft202012Validator(schemas[tool]).validate(found)


@pytest.mark.thorough
async def test_a_server_has_a_whole_conversation_in_a_space_that_its_owner_added(tmp_path: Path) -> None:
    added = warm.run(["space", "add", str(TINYNET)], env=server(tmp_path).env)
    assert added.returncode == 0, added.stderr
    settings = {"space": "tinynet", "dataset": "cifar10", "objective": "params", "max_macs": 80.0}
    async with session(tmp_path) as client:
        scientist = Namer(client)
        known = {row["space"]: row for row in (await scientist.call("list_spaces"))["spaces"]}
        front = await scientist.search("start_search()", **settings, niches=2, evaluations=12, offspring=3)
        after = dict(calls(front["next"]))
        await scientist.call("plot_pareto_front", **after["plot_pareto_front"])
        wanted = after["export_architecture"] | {"architecture": front["front"][0]["architecture"]}
        code = (await scientist.call("export_architecture", **wanted))["code"]
        search = await answer(client, "get_search", **after["plot_pareto_front"])
    assert known["tinynet"]["title"] == "Small CNNs: one to three stages of convolutions, each with its own kernel."
    kernels = {"positions": ["kernel.0", "kernel.1", "kernel.2"], "values": ["3", "5"]}
    assert kernels in known["tinynet"]["choices"]
    assert (search["used"], search["done"], search["device"], search["units"]) == (12, True, None, ["M"])
    bred = [a for tool, _, a in scientist.answers if tool == "breed_architectures"]
    assert all(offspring["architecture"].startswith("depth=") for found in bred for offspring in found["offspring"])
    assert {point["source"] for point in front["front"]} == {"computed"}
    briefs = [a for tool, _, a in scientist.answers if tool == "get_brief"]
    assert all("at most 80 M MACs" in brief["goal"] for brief in briefs)
    assert not any("cell" in brief["goal"] or "edge" in brief["goal"] for brief in briefs)
    made: Answer = {}
    exec(code, made)  # what a user is to run
    assert made["build"]()


def short(architecture: str) -> str:
    space = get_space("fbnet")
    return space.short(space.parse(architecture))


async def test_a_model_that_follows_what_it_is_told_searches_every_niche_with_rules_and_to_the_end(
    tmp_path: Path,
) -> None:
    async with session(tmp_path) as client:
        scientist = await converse(client)
        where = {"search_id": scientist.answers[0][2]["search_id"]}
        search = await answer(client, "get_search", **where)
        members = (await answer(client, "list_niche_members", **where, limit=200))["members"]
        told = await answer(client, "compute_pareto_front", **where)
        front = await read(client, f"llmnas://searches/{where['search_id']}/front")
        rules = (await read(client, f"llmnas://searches/{where['search_id']}/knowledge"))["rules"]
        schemas = {tool.name: tool.input_schema["properties"] for tool in (await client.list_tools()).tools}
        instructions = client.instructions or ""
    assert len(instructions.split()) < 200
    assert all(niche["members"] for niche in search["niches"])
    submissions = [a for tool, _, a in scientist.answers if tool == "submit_architectures"]
    became = [result["status"] for submission in submissions for result in submission["results"]]
    assert search["used"] == search["evaluations"] == became.count("kept") == len(members) == 48
    assert search["done"]
    assert [h["round"] for h in search["history"]] == [1, 2, 3, 4]
    assert [h["evaluations"] for h in search["history"]] == [12, 24, 36, 48]
    assert "refused" in became  # it saw what is not kept, and made up for it
    tried = {member["architecture"] for member in members}
    assert {rule["author"] for rule in rules} == {"conversation"}
    assert len({rule["niche"] for rule in rules}) > 1
    assert all(rule["evidence"] and tried.issuperset(rule["evidence"]) for rule in rules)
    assert front == told
    assert front["front"]
    origins = [o for tool, asked, _ in scientist.answers if tool == "submit_architectures" for o in asked["origins"]]
    assert {"mutation", "crossover", "fresh"} == {origin["operator"] for origin in origins}
    for _, _, found in scientist.answers:
        for tool, arguments in calls(found.get("next") or ""):
            assert arguments.keys() <= schemas[tool].keys()
            assert arguments.get("search_id", where["search_id"]) == where["search_id"]


async def test_prompts_and_instructions_name_tools_that_exist_with_arguments_they_take(tmp_path: Path) -> None:
    async with session(tmp_path) as client:
        schemas = {tool.name: tool.input_schema["properties"] for tool in (await client.list_tools()).tools}
        texts = [client.instructions or ""]
        for name, arguments in (("search_for_device", {"device": "fpga"}), ("explain_front", {"search_id": "x"})):
            texts.append((await client.get_prompt(name, arguments)).messages[0].content.text)
    for text in texts:
        assert all(arguments.keys() <= schemas[tool].keys() for tool, arguments in calls(text))
        named = set(
            re.findall(r"\b(?:get|mine|update|breed|submit|compute|plot|export|query|list|start)_[a-z_]+", text)
        )
        assert named <= schemas.keys()
    assert "max_latency" not in texts[1]


async def test_a_prompt_asked_for_with_wrong_arguments_says_which(tmp_path: Path) -> None:
    cases: list[tuple[str, dict[str, str], str]] = [
        ("search_for_device", {}, "device is missing. Arguments: device, dataset, max_latency, avoid, space."),
        ("search_for_device", {"device": " "}, "device is missing"),
        ("search_for_device", {"device": "raspi4", "latency": "3"}, "there is no argument 'latency'"),
        ("search_for_device", {"device": "raspi4", "max_latency": "3ms"}, "max_latency='3ms' is no limit"),
        ("search_for_device", {"device": "raspi4", "max_latency": "-1"}, "give a positive number of milliseconds"),
        ("search_for_device", {"device": "raspi4", "max_latency": "nan"}, "give a positive number of milliseconds"),
        ("explain_front", {}, "search_id is missing"),
    ]
    async with session(tmp_path) as client:
        for prompt, arguments, message in cases:
            with pytest.raises(MCPError, match=re.escape(message)):
                await client.get_prompt(prompt, arguments)
