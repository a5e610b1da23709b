"""Ten thousand calls (a thousand in `make test`) that a client may make over one session, and each ends well.

They are valid, nearly so, or hostile.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from mcp import Client

from tests.server.conftest import CELL, lasting_session
from tests.server.test_surface import TOOLS
from tests.thorough import ALL, examples

SCHEMAS = {name: json.loads((Path(__file__).parent / "schemas" / f"{name}.json").read_text()) for name in TOOLS}
INPUTS = {name: schema["inputSchema"] for name, schema in SCHEMAS.items()}
OUTPUTS = {
    name: Draft202012Validator(schema["outputSchema"]) for name, schema in SCHEMAS.items() if "outputSchema" in schema
}
CALLS = examples(10_000)
SEARCHES = ("raspi4-cifar10-", "fpga-cifar100-")  # how the ids begin of two searches that are there
CELLS = (
    CELL,
    "|skip_connect~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
)
# What makes sense, so that calls get past the checks of arguments.
SENSIBLE: dict[str, st.SearchStrategy[Any]] = {
    "search_id": st.sampled_from(SEARCHES),
    "architectures": st.lists(st.sampled_from(CELLS), max_size=4),
    "architecture": st.sampled_from(CELLS),
    "device": st.sampled_from(["raspi4", "edgetpu", "fpga", "raspi"]),
    "dataset": st.sampled_from(["cifar10", "cifar100", "cifar"]),
    "space": st.sampled_from(["nasbench201", "nasbench"]),
    "niche": st.integers(0, 3),
    "count": st.integers(1, 5),
    "round": st.sampled_from([None, 1, 2]),
    "limit": st.integers(1, 30),
    "offset": st.integers(0, 30),
    "operator": st.just("conversation"),
    "seed": st.integers(0, 9),
    "evaluations": st.integers(1, 1000),
}
HOSTILE = st.sampled_from(
    [
        "'; DROP TABLE members; --",
        "../../etc/passwd",
        "\x1b[2J\x00\x07",
        "x" * 100_000,
        "|" * 5000,
        "{}" * 100,
        "$(rm -rf /)",
        "\ud7ff\U0010ffff‮",
        10**30,
        -(2**63) - 1,
        1e308,
        -0.0,
        [[[[[[[[[[]]]]]]]]]],
        {"__class__": {"__init__": []}},
        [None] * 1001,
        True,
        None,
    ]
)
ANY = st.one_of(
    HOSTILE, st.text(max_size=20), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.none()
)


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema, as far as those of our tools go (hypothesis-jsonschema does not run with this hypothesis)."""
    if "anyOf" in schema:
        return st.one_of([fitting(part) for part in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object" if "properties" in schema:
            needed = schema.get("required", [])
            parts = {name: fitting(part) for name, part in schema["properties"].items()}
            return st.fixed_dictionaries(
                {name: part for name, part in parts.items() if name in needed},
                optional={name: part for name, part in parts.items() if name not in needed},
            )
        case "object":
            names = fitting(schema.get("propertyNames", {"type": "string", "maxLength": 6}))
            most = min(schema.get("maxProperties", 3), 3)
            return st.dictionaries(names, fitting(schema["additionalProperties"]), max_size=most)
        case "array":
            return st.lists(fitting(schema["items"]), min_size=schema.get("minItems", 0), max_size=4)
        case "string" if "pattern" in schema:
            return st.from_regex(schema["pattern"], fullmatch=True)
        case "string":
            return st.text(max_size=min(schema.get("maxLength", 30), 30))
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "number":
            bounds = schema.get("minimum"), schema.get("maximum")
            return st.floats(*bounds, allow_nan=False, allow_infinity=False)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
    raise NotImplementedError(schema)


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A tool and its arguments: by the schema, most of them sensible, then perhaps made wrong in a place or two."""
    name = draw(st.sampled_from(sorted(TOOLS)))
    arguments: dict[str, Any] = draw(fitting(INPUTS[name]))
    for argument in INPUTS[name]["properties"]:
        # Drawing takes half a second: not for every call of it.
        often = 8 if name != "plot_pareto_front" else 1
        if argument in SENSIBLE and draw(st.integers(0, 9)) < often:
            arguments[argument] = draw(SENSIBLE[argument])
    if name == "score_zero_cost":
        arguments.pop("proxies", None)  # measured live: a second each
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        match draw(st.sampled_from(["drop", "rename", "replace"])):
            case "drop" if arguments:
                arguments.pop(draw(st.sampled_from(sorted(arguments))))
            case "rename" if arguments:
                old = draw(st.sampled_from(sorted(arguments)))
                arguments[old[:-1] + draw(st.sampled_from(["", "s", "_x"]))] = arguments.pop(old)
            case _:
                arguments[draw(st.sampled_from(sorted(INPUTS[name]["properties"]) or ["x"]))] = draw(ANY)
    return name, arguments


class Server:
    """A session that lasts over all calls, and the process behind it."""

    def __init__(self, portal: BlockingPortal, client: Client, folder: Path) -> None:
        self._portal, self._client, self._folder = portal, client, folder
        self.ids = [self.call("start_search", START | {"device": d, "dataset": s})[1]["search_id"] for d, s in STARTED]
        self.seen: Counter[str] = Counter()

    def call(self, name: str, arguments: dict[str, Any]) -> tuple[bool, Any]:
        """Whether it is an error; the structured result, or the error's text."""
        result = self._portal.call(self._client.call_tool, name, arguments)
        return result.is_error, result.content[0].text if result.is_error else result.structured_content

    @property
    def megabytes(self) -> float:
        status = Path(f"/proc/{(self._folder / 'pid').read_text()}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    @property
    def logged(self) -> str:
        return (self._folder / "stderr").read_text()


STARTED = (("raspi4", "cifar10"), ("fpga", "cifar100"))
START = {"niches": 4, "evaluations": 1000}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with lasting_session(folder) as (portal, client):
        yield Server(portal, client, folder)


def check(running: Server, name: str, arguments: dict[str, Any]) -> None:
    """The call ends in a result that fits its schema, or in an error that says what is wrong and what is right."""
    for argument, value in arguments.items():
        if value in SEARCHES:
            arguments[argument] = running.ids[SEARCHES.index(value)]
    wrong, answer = running.call(name, arguments)
    running.seen[f"{name} {'error' if wrong else 'result'}"] += 1
    if not wrong:
        if name in OUTPUTS:
            OUTPUTS[name].validate(answer)
        return
    assert len(answer) < 3000, answer[:200]
    assert "Traceback" not in answer
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", answer), repr(answer[:200])
    named = [
        argument
        for argument in {*INPUTS[name]["properties"], *arguments}
        if argument in answer or argument.rstrip("s") in answer
    ]
    assert named or any(repr(value)[:20] in answer for value in arguments.values()), answer
    assert re.search(FIX, answer), answer


# How a fix is told: what is allowed, known or there, or what to do.
FIX = re.compile(
    r"Allowed|[A-Z]\w+s: |[Cc]hoose|[Gg]ive|[Uu]se |[Ss]ee |must|lists|search_id|Expected|for example|such as|at most"
    r"|latest are|Ask for|Raise|available|Did you mean|[Ii]mport|Add one|pip install"
)


def test_generated_calls_end_in_a_result_or_a_readable_error_and_the_server_lives_logs_nothing_and_does_not_grow(
    running: Server,
) -> None:
    before = 0.0

    @settings(
        max_examples=CALLS,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(calls())
    def each(call: tuple[str, dict[str, Any]]) -> None:
        nonlocal before
        if running.seen.total() == CALLS // 2:  # by now every cache is nearly as full as it gets
            before = running.megabytes
        check(running, *call)

    check(running, "plot_pareto_front", {"search_id": SEARCHES[0]})  # drawn seldom, as it takes half a second
    each()
    assert running.call("list_spaces", {})[0] is False
    assert running.logged == ""
    results = {name for name in TOOLS if running.seen[f"{name} result"]}
    errors = {name for name in TOOLS if running.seen[f"{name} error"]}
    # A server without own devices times nothing, and one without added data trains on what nobody guesses.
    assert results == TOOLS - {"measure_latency", "train_architectures"}
    assert errors == TOOLS or not ALL  # of some tools a mistake is drawn seldom
    # Caches of searches and pictures still grow by steps of some megabytes; what is kept of every call shows as more.
    assert running.megabytes < before + max(20, CALLS / 2 * 0.01)
