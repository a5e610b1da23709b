"""The laboratory's tools from a plain MCP client: the fastest cells among some neighbours of one, with their scores.

.venv/bin/python examples/plain_client.py
"""

import asyncio
import os
import sys

from mcp import Client, StdioServerParameters

CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
SERVER = StdioServerParameters(command=sys.executable, args=["-m", "llmnas_mcp.server.main"], env=dict(os.environ))


async def main() -> None:
    """Ask for costs and scores, print them by rising latency."""
    cells = [CELL] + [CELL.replace("nor_conv_3x3", op, 1) for op in ("nor_conv_1x1", "avg_pool_3x3", "skip_connect")]
    async with Client(SERVER) as client:
        costs = await client.call_tool("query_latency", {"architectures": cells, "device": "raspi4"})
        scores = await client.call_tool("score_zero_cost", {"architectures": cells})
    rows = zip(costs.structured_content["results"], scores.structured_content["results"], strict=True)
    for cost, score in sorted(rows, key=lambda row: row[0]["value"]):
        print(f"{cost['value']:7.2f} {cost['unit']}  score {score['score']:.3f}  {cost['architecture']}")


if __name__ == "__main__":
    asyncio.run(main())
