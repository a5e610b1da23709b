"""Builds dist/llmnas-mcp.mcpb, which Claude Desktop installs when it is opened.

    python scripts/build_bundle.py [FILE]

The bundle holds the server and says what it needs; the client has uv fetch that at the first start. With torch in it
it would be two gigabytes, and one for each system. The format: https://github.com/modelcontextprotocol/mcpb,
MANIFEST.md ("UV Runtime", since 0.4) and schemas/mcpb-manifest-v0.4.schema.json.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Literal

import tomlkit
from mcp import Client
from pydantic import BaseModel, ConfigDict, Field

from llmnas_mcp import __version__
from llmnas_mcp.server.app import create_app
from llmnas_mcp.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
CARRIED = ("README.md", "LICENSE", "CHANGELOG.md", "llmnas_mcp", "agents/llmnas_agents")
ENTRY = '"""Serves over stdio."""\n\nfrom llmnas_mcp.server.main import main\n\nmain()\n'
PYTHON = "3.11"  # that of the tests: uv takes it, or fetches it
# On Linux, the torch of PyPI brings gigabytes for a GPU that no score needs.
# https://docs.astral.sh/uv/guides/integration/pytorch/
UV = """
[tool.uv.sources]
torch = { index = "pytorch-cpu", marker = "sys_platform == 'linux'" }

[[tool.uv.index]]
name = "pytorch-cpu"
url = "https://download.pytorch.org/whl/cpu"
explicit = true
"""


class Strict(BaseModel):
    """What a manifest may say is closed: a client refuses a word it does not know."""

    model_config = ConfigDict(extra="forbid")


class Author(Strict):
    """Who made it."""

    name: str


class Start(Strict):
    """How it is started; ${__dirname} is where the client unpacked it."""

    command: str
    args: list[str]


class Server(Strict):
    """What kind of server it is. Of kind uv: Python, with the packages that pyproject.toml names."""

    type: Literal["uv"]
    entry_point: str
    mcp_config: Start


class Tool(Strict):
    """A tool as the client shows it before anything is started."""

    name: str
    description: str


class Compatibility(Strict):
    """Where it runs. No Python is asked for: uv brings one."""

    platforms: list[Literal["darwin", "win32", "linux"]]


class Manifest(Strict):
    """The part of the format that we use."""

    manifest_version: Literal["0.4"]
    name: str
    display_name: str
    version: str = Field(pattern=r"^\d+\.\d+\.\d+")
    description: str
    author: Author
    license: str
    keywords: list[str]
    server: Server
    tools: list[Tool]
    prompts_generated: bool
    compatibility: Compatibility


def manifest() -> Manifest:
    """The manifest, with the tools that the server has."""
    project = tomlkit.parse((ROOT / "pyproject.toml").read_text()).unwrap()["project"]
    return Manifest(
        manifest_version="0.4",
        name=project["name"],
        display_name="llmnas",
        version=__version__,
        description=project["description"],
        author=Author(name="The llmnas-mcp authors"),
        license=project["license"],
        keywords=project["keywords"],
        server=Server(
            type="uv",
            entry_point="server.py",
            mcp_config=Start(command="uv", args=["run", "--directory", "${__dirname}", "server.py"]),
        ),
        tools=asyncio.run(_tools()),
        prompts_generated=True,
        compatibility=Compatibility(platforms=["darwin", "win32", "linux"]),
    )


async def _tools() -> list[Tool]:
    with tempfile.TemporaryDirectory() as folder:
        async with Client(create_app(Settings(store=f"sqlite:///{folder}/llmnas.db", data=Path(folder)))) as client:
            tools = (await client.list_tools()).tools
    return [Tool(name=tool.name, description=(tool.description or "").split("\n")[0]) for tool in tools]


def pyproject() -> str:
    """The project as uv is to install it: in the tested versions, without what only its developers need."""
    ours = tomlkit.parse((ROOT / "pyproject.toml").read_text())
    project = ours["project"].unwrap()
    del project["optional-dependencies"]
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    new = tomlkit.parse(UV)
    new["build-system"], new["project"] = ours["build-system"].unwrap(), project
    new["tool"]["hatch"] = ours["tool"]["hatch"].unwrap()
    new["tool"]["uv"]["constraint-dependencies"] = pins
    return tomlkit.dumps(new)


def build(path: Path) -> None:
    """Write the bundle; the same sources give the same bytes."""
    files = {
        "manifest.json": manifest().model_dump_json(indent=2).encode(),
        "pyproject.toml": pyproject().encode(),
        ".python-version": PYTHON.encode(),
        "server.py": ENTRY.encode(),
    }
    for name in CARRIED:
        there = ROOT / name
        for file in [there] if there.is_file() else sorted(there.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                files[file.relative_to(ROOT).as_posix()] = file.read_bytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o644 << 16
            bundle.writestr(entry, content, zipfile.ZIP_DEFLATED)
    print(f"{path}: {len(files)} files, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist" / "llmnas-mcp.mcpb")
