"""Claude with the laboratory's tools, by Anthropic's own tool runner. Needs ANTHROPIC_API_KEY, and costs a few cents.

.venv/bin/python examples/claude_tool_runner.py "Which of these is faster on a Raspberry Pi 4: ..."
"""

import asyncio
import os
import sys

from anthropic import APIError, AsyncAnthropic
from anthropic.lib.tools.mcp import async_mcp_tool
from mcp import Client, StdioServerParameters

SERVER = StdioServerParameters(command=sys.executable, args=["-m", "llmnas_mcp.server.main"], env=dict(os.environ))
MODEL = os.environ.get("LLMNAS_MODEL") or "claude-sonnet-5-5"
LOOK_UPS = {"list_spaces", "list_devices", "query_latency", "score_zero_cost"}
QUESTION = "Which of your devices runs the example cell fastest?"


async def main(question: str) -> str:
    """Let Claude look up what it needs; returns its answer, or why there is none."""
    async with Client(SERVER) as client:
        tools = [async_mcp_tool(t, client.session) for t in (await client.list_tools()).tools if t.name in LOOK_UPS]
        runner = AsyncAnthropic().beta.messages.tool_runner(
            model=MODEL, max_tokens=4000, tools=tools, messages=[{"role": "user", "content": question}]
        )
        try:
            answer = await runner.until_done()
        except APIError as error:
            return f"Claude could not be asked: {error}"
    return "".join(block.text for block in answer.content if block.type == "text")


if __name__ == "__main__":
    if not os.environ.get("ANTHROPIC_API_KEY"):
        sys.exit("Set ANTHROPIC_API_KEY; examples/langgraph_tools.py needs no key.")
    print(asyncio.run(main(" ".join(sys.argv[1:]) or QUESTION)))
