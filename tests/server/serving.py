"""A real `llmnas-mcp` over HTTP, as a process, and what tests ask it by."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests import warm
from tests.thorough import HUNG

HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}},
}


class Serving:
    """A server that answers; `log` has the lines of its standard error so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.log: list[str] = []
        for line in process.stderr:
            self.log.append(line)
            if found := re.search(r"serving on (http://\S+):(\d+)/mcp", line):
                break
        else:
            raise AssertionError("".join(self.log))
        self.port = int(found[2])
        self.base = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.base}/mcp"
        self._reader = threading.Thread(target=lambda: self.log.extend(process.stderr))
        self._reader.start()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it; its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(HUNG)
        self._reader.join()
        return code

    def raw(self, data: bytes) -> bytes:
        """What comes back for some bytes until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=HUNG) as connection:
            connection.sendall(data)
            answer = b""
            try:
                while part := connection.recv(65536):
                    answer += part
            except ConnectionResetError:
                pass
            return answer

    def hello(self, **options: Any) -> httpx2.Response:
        """Open a session of the older protocol."""
        headers = {**HEADERS, **options.pop("headers", {})}
        return httpx2.post(self.url, json=HELLO, headers=headers, timeout=HUNG, **options)

    def healthy(self) -> bool:
        """Whether /health says so."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HUNG)
        connection.request("GET", "/health")
        status = connection.getresponse().status
        connection.close()
        return status == 200


def environment(folder: Path, token: str | None = None) -> dict[str, str]:
    env = {**os.environ, "LLMNAS_STORE": f"sqlite:///{folder}/llmnas.db", "LLMNAS_DATA": str(folder / "tables")}
    env.pop("LLMNAS_HTTP_TOKEN", None)
    return env | ({"LLMNAS_HTTP_TOKEN": token} if token else {})


@contextmanager
def serving(folder: Path, *arguments: str, token: str | None = None, patch: str = "") -> Iterator[Serving]:
    """A server on a free port, stopped at the end; `patch` is code that sets limits a test can wait for."""
    process = warm.Popen(
        ["--transport", "http", "--port", "0", *arguments],
        f"from llmnas_mcp.server import connections, http\n{patch}\n{warm.SERVER}",
        env=environment(folder, token),
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        server = None
        try:
            server = Serving(process)
            yield server
        finally:
            if process.poll() is None:
                server.stop() if server else process.kill()
