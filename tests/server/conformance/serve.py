"""Serves the laboratory over HTTP for the checkers, with the suite's fixtures or without: `fixtures`, `laboratory`.

Says its URL on standard output once it listens, and serves until it is ended.
"""

from __future__ import annotations

import socket
import sys
import warnings

import uvicorn
from mcp.shared.exceptions import MCPDeprecationWarning

from llmnas_mcp.server.app import create_app
from tests.server.conformance import fixtures


def main() -> None:
    """Serve on a free port of this machine."""
    if sys.argv[1] == "fixtures":
        # The suite still asks for what 2026-07-28 has deprecated: logging and sampling.
        warnings.simplefilter("ignore", MCPDeprecationWarning)
        app = create_app(more_tools=fixtures.tools())
        fixtures.add_rest(app)
    else:
        app = create_app()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp", flush=True)
        uvicorn.Server(uvicorn.Config(app.streamable_http_app(), log_level="warning")).run(sockets=[listening])


if __name__ == "__main__":
    main()
