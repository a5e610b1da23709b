"""Serves the laboratory over HTTP for the checkers, with the suite's fixtures or without: `fixtures`, `laboratory`.

Says its URL on standard output once it listens, and serves until it is ended.
"""

from __future__ import annotations

import logging
import sys
import warnings

from mcp.shared.exceptions import MCPDeprecationWarning

from llmnas_mcp.server import connections, http
from llmnas_mcp.server.app import create_app
from llmnas_mcp.settings import Settings
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
    log = logging.getLogger(connections.__name__)
    log.setLevel(logging.INFO)
    log.addHandler(Announcement())
    http.serve(app, Settings(), "127.0.0.1", 0)


class Announcement(logging.Handler):
    """Prints where the server is, once it is there."""

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        before, said, url = record.getMessage().partition("serving on ")
        if said and not before:
            print(url, flush=True)


if __name__ == "__main__":
    main()
