"""The laboratory's tools as LangChain tools, run by a LangGraph tool node: give them to any agent you have.

.venv/bin/python examples/langgraph_tools.py
"""

import asyncio
import os
import sys
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.tools import StructuredTool, ToolException
from langgraph.graph import START, MessagesState, StateGraph
from mcp import Client, StdioServerParameters

SERVER = StdioServerParameters(command=sys.executable, args=["-m", "llmnas_mcp.server.main"], env=dict(os.environ))
CELL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"


def langchain_tool(client: Client, tool: Any) -> StructuredTool:
    """One MCP tool for LangChain; its structured answer is the artifact."""

    async def call(**arguments: Any) -> tuple[str, Any]:
        result = await client.call_tool(tool.name, arguments)
        text = " ".join(getattr(block, "text", "") for block in result.content)
        if result.is_error:
            raise ToolException(text)
        return text, result.structured_content

    return StructuredTool(
        name=tool.name,
        description=tool.description,
        args_schema=tool.input_schema,
        coroutine=call,
        response_format="content_and_artifact",
    )


async def main() -> None:
    """A graph whose model would ask for a tool; here the request is written down."""
    async with Client(SERVER) as client:
        tools = {tool.name: langchain_tool(client, tool) for tool in (await client.list_tools()).tools}

        async def work(state: MessagesState) -> dict[str, Any]:
            return {"messages": [await tools[c["name"]].ainvoke(c) for c in state["messages"][-1].tool_calls]}

        graph = StateGraph(MessagesState)
        graph.add_node("tools", work)
        graph.add_edge(START, "tools")
        asked = {"name": "query_latency", "args": {"architectures": [CELL], "device": "raspi4"}, "id": "1"}
        done = await graph.compile().ainvoke({"messages": [AIMessage("", tool_calls=[{**asked, "type": "tool_call"}])]})
    for result in done["messages"][-1].artifact["results"]:
        print(f"{result['value']:.2f} {result['unit']}  {result['architecture']}")


if __name__ == "__main__":
    asyncio.run(main())
