"""PostgreSQL crashes under a server with work in hand, and comes back: what is told meanwhile, and what is kept."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated
from mcp.types import PromptReference

from llmnas_mcp.search.service import Laboratory
from llmnas_mcp.settings import Settings
from llmnas_mcp.spaces import get_space
from tests.postgres import PASSWORD, Postgres
from tests.server import serving
from tests.server.conftest import answer, error
from tests.thorough import HUNG

pytestmark = pytest.mark.anyio
SPACE = get_space("nasbench201")
# From 1: the first cell ignores its input, and is no candidate.
BATCHES = [[SPACE.format(tuple(cell)) for cell in SPACE.distinct()[i : i + 20].tolist()] for i in range(1, 1201, 20)]


@pytest.mark.thorough
async def test_a_server_outlives_its_database_and_what_was_submitted_meanwhile_is_kept_once(
    own_postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = own_postgres.new()
    env = {**os.environ, "LLMNAS_STORE": store, "LLMNAS_DATA": str(tmp_path)}
    monkeypatch.setattr(serving, "environment", lambda *_: env)
    under_way, gone, refused = anyio.Event(), anyio.Event(), []

    async def submit_all(client: Client, search_id: str) -> None:
        for i, cells in enumerate(BATCHES):
            arguments = {"search_id": search_id, "architectures": cells}
            while (result := await client.call_tool("submit_architectures", arguments)).is_error:
                refused.append(result.content[0].text)
            if i == 5:
                under_way.set()
            if i == 20:  # the database is to be gone in the midst of it
                await gone.wait()

    with serving.serving(tmp_path) as server:
        async with Client(server.url) as client:
            search_id = (await answer(client, "start_search", device="fpga", evaluations=5000))["search_id"]
            uri = f"llmnas://searches/{search_id}"
            async with client.listen(resource_subscriptions=[uri]) as changes, anyio.create_task_group() as group:
                group.start_soon(submit_all, client, search_id)
                await under_way.wait()
                await to_thread.run_sync(own_postgres.stop)
                refused.append(await error(client, "get_search", search_id=search_id))
                asked = PromptReference(name="explain_front"), {"name": "search_id", "value": ""}
                for ask in (lambda: client.read_resource(uri), lambda: client.complete(*asked)):
                    with pytest.raises(MCPError) as told:
                        await ask()
                    refused.append(str(told.value))
                assert await answer(client, "list_spaces")
                assert server.healthy()
                gone.set()
                await to_thread.run_sync(own_postgres.start)
                with anyio.fail_after(HUNG):
                    assert await anext(aiter(changes)) == ResourceUpdated(uri=uri)
        server.stop()

    assert all("does not answer" in text and "try again" in text for text in refused), refused
    assert PASSWORD not in "".join([*refused, *server.log])
    assert "Traceback" not in "".join(server.log)
    lab = Laboratory(Settings(store=store, data=tmp_path))
    kept = [member.architecture for member in lab.members(search_id)[1]]
    lab.close()
    assert sorted(kept) == sorted(cell for cells in BATCHES for cell in cells)
