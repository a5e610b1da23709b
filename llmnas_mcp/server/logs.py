"""Logs on standard error: text or JSON lines, each with the id of the request it is about, no secret in any."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import sys
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import unquote

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

Format = Literal["text", "json"]
SECRETS = ("LLMNAS_HTTP_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
request_id: ContextVar[str] = ContextVar("request_id", default="-")
log = logging.getLogger(__name__)


def configure(format_: Format, level: int) -> None:
    """Log to standard error: the laboratory from `level` on, libraries from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if format_ == "json" else Text())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("llmnas_mcp").setLevel(level)
    logging.captureWarnings(True)


def new_request_id() -> str:
    """An id that tells this process's requests apart."""
    return secrets.token_hex(6)


class Text(logging.Formatter):
    """A line of text, then the traceback if there is one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(request)s] %(message)s")
        found = [os.environ.get(name, "").strip() for name in SECRETS]
        for password in re.findall(r"://[^/]*?:(.+)@", os.environ.get("LLMNAS_STORE", "")):
            found += [password, unquote(password)]
        self._secrets = [secret for secret in found if secret]

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        record.request = request_id.get()
        return self.redacted(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """One line whatever it quotes: who sends a line break does not get to write a line of the log."""
        return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", lambda m: repr(m[0])[1:-1], super().formatMessage(record))

    def redacted(self, text: str) -> str:
        """The text without the keys, tokens and password of the environment, should a library ever quote one."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


class JsonLines(Text):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "request": request_id.get(),
            "message": self.redacted(record.getMessage()),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            fields["error"] = self.redacted(self.formatException(record.exc_info))
        return json.dumps(fields)


async def log_calls(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """A middleware of the MCP server: a line for every request, with how it ended and how long it took."""
    if ctx.request_id is None or not log.isEnabledFor(logging.INFO):
        return await call_next(ctx)
    # In a session over HTTP this runs in the session's task, which knows the id of the request that opened it.
    given = ctx.request.scope["state"].get("request_id") if ctx.request is not None else None
    before = request_id.set(given or new_request_id())
    name = str((ctx.params or {}).get("name", ""))[:80]
    ended, began = "failed", time.perf_counter()
    try:
        result = await call_next(ctx)
        told = result.get("isError") if isinstance(result, dict) else getattr(result, "is_error", False)
        ended = "refused" if told else "ok"
        return result
    except anyio.get_cancelled_exc_class():
        ended = "cancelled"
        raise
    finally:
        ms = round((time.perf_counter() - began) * 1000, 1)
        facts = {"method": ctx.method, "name": name, "ended": ended, "ms": ms}
        log.info("%s %s: %s in %s ms", ctx.method, name or "-", ended, ms, extra={"facts": facts})
        request_id.reset(before)
