"""The command `llmnas-mcp`: the server over stdio."""

from __future__ import annotations

import argparse
import sys

from llmnas_mcp import __version__
from llmnas_mcp.errors import LabError
from llmnas_mcp.process import prepare


def main() -> None:
    """Serve until the client hangs up. Standard output carries nothing but JSON-RPC."""
    parser = argparse.ArgumentParser(
        prog="llmnas-mcp",
        description="MCP server of the llmnas laboratory, over stdio. Meant to be started by an MCP client.",
        epilog="Environment: LLMNAS_STORE (SQLAlchemy URL of the searches), LLMNAS_DATA (folder of imported tables).",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--read-only", action="store_true", help="leave out the tools that write")
    parser.add_argument("--tools", metavar="A,B", help="offer these tools and no others")
    options = parser.parse_args()
    only = None if options.tools is None else [name.strip() for name in options.tools.split(",") if name.strip()]
    prepare()
    from llmnas_mcp.server.app import create_app

    try:
        app = create_app(read_only=options.read_only, only=only)
    except LabError as error:
        sys.exit(f"llmnas-mcp: {error}")
    app.run()


if __name__ == "__main__":
    main()
