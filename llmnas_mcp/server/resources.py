"""Resources: what a client can read without calling a tool, as JSON, and a search's report and picture."""

from __future__ import annotations

import json

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from pydantic import BaseModel

from llmnas_mcp.errors import NotFoundError
from llmnas_mcp.reports import advised, html_report, judged, plot_front
from llmnas_mcp.search import instruments
from llmnas_mcp.search.exports import SCHEME, exported_file
from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.server.progress import tell
from llmnas_mcp.server.trouble import readable

JSON = "application/json"


def register(mcp: MCPServer, lab: Laboratory) -> None:
    """Add the resources."""

    @mcp.resource("llmnas://spaces", mime_type=JSON)
    def spaces() -> str:
        """Search spaces and their notation."""
        return _text(instruments.list_spaces(lab.settings.data))

    @mcp.resource("llmnas://devices", mime_type=JSON)
    def devices() -> str:
        """Devices and where their numbers come from."""
        with readable():
            return _text(instruments.list_devices("nasbench201", lab.settings.data))

    @mcp.resource("llmnas://searches/{search_id}", mime_type=JSON)
    def search(search_id: str) -> str:
        """State of a search."""
        with readable(), _not_found():
            return _text(lab.get_search(search_id))

    @mcp.resource("llmnas://searches/{search_id}/front", mime_type=JSON)
    def front(search_id: str) -> str:
        """Pareto front of a search."""
        with readable(), _not_found():
            return _text(judged(advised(lab, search_id), *lab.members(search_id)))

    @mcp.resource("llmnas://searches/{search_id}/knowledge", mime_type=JSON)
    def knowledge(search_id: str) -> str:
        """Every version of every rule of a search."""
        with readable(), _not_found():
            rules = lab.knowledge_history(search_id)
        return json.dumps({"rules": [rule.model_dump(mode="json") for rule in rules]})

    @mcp.resource("llmnas://searches/{search_id}/report", mime_type="text/html")
    def report(ctx: Context, search_id: str) -> str:
        """A search as one HTML file: its front, what it added, where designs come from, what was learnt."""

        def progress(done: int, total: int) -> None:
            tell(ctx, done, total, f"ran {done} of {total} baselines")

        with readable(), _not_found():
            return html_report(lab, search_id, progress)

    @mcp.resource("llmnas://searches/{search_id}/front.svg", mime_type="image/svg+xml")
    def picture(search_id: str) -> str:
        """The picture of a search, as plot_pareto_front draws it."""
        with readable(), _not_found():
            return plot_front(*lab.members(search_id), format="svg").decode()

    @mcp.resource(SCHEME + "{name}", mime_type="application/octet-stream")
    def exported(name: str) -> bytes:
        """A file that export_architecture wrote; with .md or .json behind its name, the card of the network."""
        with readable(), _not_found():
            return exported_file(name, lab.settings.data)


class _not_found:  # noqa: N801 - reads as a statement where it is used
    """Turns a missing search into the protocol's error for a missing resource."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NotFoundError):
            raise ResourceNotFoundError(str(error)) from error


def _text(model: BaseModel) -> str:
    return model.model_dump_json()
