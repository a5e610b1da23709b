"""A host that is reached by ssh, on this machine: `python host.py FOLDER`.

Whoever has the key FOLDER/user may run commands; those with runner.py in them begin with what is in FOLDER/before. Its
commands are in FOLDER/commands, its port in FOLDER/port once it listens.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import asyncssh

FOLDER = Path(sys.argv[-1])


async def run(process: Any) -> None:
    """Give a command what was sent, and send back what it writes as it comes."""
    given = await process.stdin.read()
    before = (FOLDER / "before").read_text() if "runner.py" in process.command else ""
    with (FOLDER / "commands").open("a") as file:
        file.write(process.command + "\n")
    env = {**os.environ, "PATH": f"{FOLDER / 'bin'}:{os.environ['PATH']}", "TMPDIR": str(FOLDER)}
    pipes: Any = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)
    local = await asyncio.create_subprocess_shell(f"{before} {process.command}", **pipes, env=env, limit=2**24)
    local.stdin.write(given)
    local.stdin.close()
    while line := await local.stdout.readline():
        process.stdout.write(line)
    process.stderr.write(await local.stderr.read())
    if (code := await local.wait()) < 0:
        process.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
    else:
        process.exit(code)


async def main() -> None:
    """Listen until killed."""
    server = await asyncssh.listen(
        *("127.0.0.1", 0),
        server_host_keys=[str(FOLDER / "host")],
        authorized_client_keys=str(FOLDER / "user.pub"),
        process_factory=run,
        encoding=None,
    )
    (FOLDER / "port.part").write_text(str(server.sockets[0].getsockname()[1]))
    (FOLDER / "port.part").rename(FOLDER / "port")
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(main())
