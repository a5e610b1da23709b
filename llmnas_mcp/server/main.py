"""The command `llmnas-mcp`: the server over stdio or HTTP."""

from __future__ import annotations

import argparse
import logging
import sys

from llmnas_mcp import __version__
from llmnas_mcp.errors import LabError
from llmnas_mcp.process import prepare

ENVIRONMENT = """Environment: LLMNAS_STORE (SQLAlchemy URL of the searches), LLMNAS_DATA (folder of imported tables),
LLMNAS_HTTP_TOKEN (bearer token that HTTP clients must send), LLMNAS_HTTP_HOSTS (more names it is called by)."""


def main() -> None:
    """Serve until the client hangs up or a signal comes. Standard output carries nothing but JSON-RPC."""
    parser = argparse.ArgumentParser(
        prog="llmnas-mcp", description="MCP server of the llmnas laboratory.", epilog=ENVIRONMENT
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--transport", choices=["stdio", "http"], default="stdio", help="default: stdio")
    parser.add_argument("--host", default="127.0.0.1", help="to listen on; others than 127.0.0.1 need a token")
    parser.add_argument("--port", type=int, default=8000, help="default: 8000; 0: any free one, told on stderr")
    parser.add_argument(
        "--log-format", choices=["text", "json"], help="log every call; default: text, over stdio only what goes wrong"
    )
    parser.add_argument("--read-only", action="store_true", help="leave out the tools that write")
    parser.add_argument("--tools", metavar="A,B", help="offer these tools and no others")
    given = parser.parse_args()
    only = None if given.tools is None else [name.strip() for name in given.tools.split(",") if name.strip()]
    prepare()
    from llmnas_mcp.server import logs
    from llmnas_mcp.server.app import create_app
    from llmnas_mcp.settings import Settings

    http = given.transport == "http"
    logs.configure(given.log_format or "text", logging.INFO if http or given.log_format else logging.WARNING)
    try:
        settings = Settings()
        app = create_app(settings, read_only=given.read_only, only=only)
        if http:
            from llmnas_mcp.server.http import serve

            serve(app, settings, given.host, given.port)
        else:
            from llmnas_mcp.server import stdio

            stdio.serve(app)
    except LabError as error:
        sys.exit(f"llmnas-mcp: {error}")


if __name__ == "__main__":
    main()
