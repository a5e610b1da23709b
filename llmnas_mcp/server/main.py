"""The command `llmnas-mcp`: the server over stdio."""

from __future__ import annotations

import argparse
import gc
import os
import sys

from llmnas_mcp import __version__
from llmnas_mcp.errors import LabError


def main() -> None:
    """Serve until the client hangs up. Standard output carries nothing but JSON-RPC."""
    parser = argparse.ArgumentParser(
        prog="llmnas-mcp",
        description="MCP server of the llmnas laboratory, over stdio. Meant to be started by an MCP client.",
        epilog="Environment: LLMNAS_STORE (SQLAlchemy URL of the searches), LLMNAS_DATA (folder of imported tables).",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.parse_args()
    # Importing makes many objects and little garbage: with Python's default, collections take a fifth of the start.
    gc.set_threshold(50_000, 20, 50)
    # The matrices here are small: threads in BLAS only get in each other's way when niches are mined in parallel.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from llmnas_mcp.server.app import create_app

    try:
        app = create_app()
    except LabError as error:
        sys.exit(f"llmnas-mcp: {error}")
    app.run()


if __name__ == "__main__":
    main()
