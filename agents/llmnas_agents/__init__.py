"""The scientists: a LangGraph agent and its operators, working in the laboratory through MCP tools."""
