"""What is shipped beside the package: the bundle for Claude Desktop, the image, the entry of the registry.

`make conformance` holds the bundle against its format, by the tool of its authors.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Literal

import pytest
import tomlkit
from llmnas_agents.probe import start
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from llmnas_mcp import __version__

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def script() -> Any:
    spec = spec_from_file_location("build_bundle", ROOT / "scripts" / "build_bundle.py")
    assert spec
    assert spec.loader
    module = sys.modules[spec.name] = module_from_spec(spec)  # where pydantic looks names up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bundle(script: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, unpacked as a client would."""
    folder = tmp_path_factory.mktemp("bundle")
    script.build(folder / "llmnas-mcp.mcpb")
    with zipfile.ZipFile(folder / "llmnas-mcp.mcpb") as file:
        file.extractall(folder / "unpacked")
    return folder / "unpacked"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_the_manifest_keeps_to_the_format(script: Any, bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    script.Manifest.model_validate(manifest)
    assert manifest["version"] == __version__
    assert (bundle / manifest["server"]["entry_point"]).is_file()
    for change in ({"mcp_config": 1}, {"version": "one"}, {"manifest_version": "0.3"}, {"author": "me"}):
        with pytest.raises(ValidationError):
            script.Manifest.model_validate(manifest | change)


@pytest.mark.anyio
async def test_the_server_of_the_bundle_runs_from_its_own_code_and_has_the_tools_that_it_names(
    bundle: Path, tmp_path: Path
) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    env = {"LLMNAS_STORE": f"sqlite:///{tmp_path}/llmnas.db", "LLMNAS_DATA": str(tmp_path), "PYTHONPATH": ""}
    asked = {"command": sys.executable, "args": [str(bundle / manifest["server"]["entry_point"])], "env": env}
    assert await start(asked) == (len(manifest["tools"]), None)
    where = [sys.executable, "-c", "import llmnas_mcp; print(llmnas_mcp.__file__)"]
    done = subprocess.run(where, cwd=bundle, env={**os.environ, **env}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(bundle / "llmnas_mcp" / "__init__.py")


def test_the_bundle_is_small_always_the_same_and_asks_for_the_tested_versions(
    script: Any, bundle: Path, tmp_path: Path
) -> None:
    first = bundle.parent / "llmnas-mcp.mcpb"
    script.build(tmp_path / "again.mcpb")
    assert first.read_bytes() == (tmp_path / "again.mcpb").read_bytes()
    assert first.stat().st_size < 5e6
    project = tomlkit.parse((bundle / "pyproject.toml").read_text()).unwrap()
    ours = tomlkit.parse((ROOT / "pyproject.toml").read_text()).unwrap()
    assert project["project"]["version"] == __version__
    assert project["project"]["dependencies"] == ours["project"]["dependencies"]
    assert any(pin.startswith("torch==") for pin in project["tool"]["uv"]["constraint-dependencies"])
    needed = [project["project"]["readme"], *project["project"]["license-files"]]
    needed += project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert all((bundle / name).exists() for name in needed)


class Registered(BaseModel):
    """What the registry's format says of the words we use.

    https://github.com/modelcontextprotocol/registry, docs/reference/server-json/generic-server-json.md and
    official-registry-requirements.md.
    """

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Transport(Registered):
    type: Literal["stdio"]


class Variable(Registered):
    name: str
    description: str
    is_required: bool
    format: Literal["string", "number", "boolean", "filepath"]


class Package(Registered):
    registry_type: Literal["pypi"]
    identifier: str
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    runtime_hint: Literal["uvx"]
    transport: Transport
    environment_variables: list[Variable]


class Entry(Registered):
    schema_: str = Field(alias="$schema", pattern=r"^https://static\.modelcontextprotocol\.io/schemas/[\d-]+/server")
    name: str = Field(pattern=r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", min_length=3, max_length=200)
    title: str = Field(min_length=1, max_length=100)
    description: str = Field(min_length=1, max_length=100)
    version: str
    packages: list[Package]


def test_the_entry_of_the_registry_is_of_this_version_and_package_and_proves_whose_it_is() -> None:
    entry = Entry.model_validate_json((ROOT / "server.json").read_text())
    (package,) = entry.packages
    assert entry.version == package.version == __version__
    assert package.identifier == tomlkit.parse((ROOT / "pyproject.toml").read_text()).unwrap()["project"]["name"]
    assert {v.name for v in package.environment_variables} == {"LLMNAS_STORE", "LLMNAS_DATA"}
    assert re.search(rf"mcp-name: {re.escape(entry.name)}\s", (ROOT / "README.md").read_text())
    assert f'io.modelcontextprotocol.server.name="{entry.name}"' in (ROOT / "Dockerfile").read_text()


def instructions() -> list[tuple[str, str]]:
    """The lines of the Dockerfile, continued ones joined."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_what_the_image_copies_is_there_and_reaches_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copies = [words.split() for name, words in instructions() if name == "COPY" and "--from" not in words]
    copied = {source for words in copies for source in words[:-1]}
    assert copied == sent
    assert all((ROOT / source).exists() for source in copied)
    assert not any(name == "ADD" for name, _ in instructions())


def test_the_image_is_small_not_of_root_and_tells_its_health() -> None:
    lines = instructions()
    assert [words.split()[0] for name, words in lines if name == "FROM"] == ["python:3.11-slim"] * 2
    last = [name for name, _ in lines][::-1].index("FROM")
    final = dict(lines[-last:])
    assert final["USER"] not in ("root", "0")
    assert "127.0.0.1:8000/health" in final["HEALTHCHECK"]
    assert final["EXPOSE"] == "8000"
    assert any("whl/cpu torch" in words for name, words in lines if name == "RUN")


def test_the_image_starts_the_server_only_with_a_token(tmp_path: Path) -> None:
    entry = json.loads(dict(instructions())["ENTRYPOINT"])
    fake = tmp_path / "llmnas-mcp"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*entry, "--help"], env={**env, **more}, capture_output=True, text=True, check=False)

    for refused in (run(), run(LLMNAS_HTTP_TOKEN="")):
        assert refused.returncode != 0
        assert "LLMNAS_HTTP_TOKEN" in refused.stderr
        assert refused.stdout == ""
    assert run(LLMNAS_HTTP_TOKEN="t").stdout == "--transport http --host 0.0.0.0 --port 8000 --help\n"
