# The server over HTTP:
#   docker build -t llmnas-mcp .
#   docker run -e LLMNAS_HTTP_TOKEN=... -p 127.0.0.1:8000:8000 -v llmnas:/data llmnas-mcp
FROM python:3.11-slim AS build
RUN python -m venv /opt/llmnas
ENV PATH=/opt/llmnas/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY constraints.txt ./
# PyPI's torch for Linux brings gigabytes for a GPU that no score needs. Its own layer: it changes least.
RUN pip install -c constraints.txt --index-url https://download.pytorch.org/whl/cpu torch
COPY pyproject.toml README.md LICENSE ./
COPY llmnas_mcp llmnas_mcp
COPY agents agents
RUN pip install -c constraints.txt .

FROM python:3.11-slim
# The registry's proof that image and server.json belong together.
LABEL io.modelcontextprotocol.server.name="io.github.llmnas/llmnas-mcp"
RUN useradd --uid 10001 --create-home llmnas && install -d -o llmnas /data
COPY --from=build /opt/llmnas /opt/llmnas
ENV PATH=/opt/llmnas/bin:$PATH PYTHONUNBUFFERED=1 LLMNAS_STORE=sqlite:////data/llmnas.db LLMNAS_DATA=/data/tables
USER llmnas
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
# Whoever reaches the port can search: without a token it does not start.
ENTRYPOINT ["sh", "-c", ": ${LLMNAS_HTTP_TOKEN:?must be set: docker run -e LLMNAS_HTTP_TOKEN=...}; exec llmnas-mcp --transport http --host 0.0.0.0 --port 8000 \"$@\"", "llmnas-mcp"]
