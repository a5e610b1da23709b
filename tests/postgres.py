"""A PostgreSQL server of the tests' own, from Debian's package: started on a free port, stopped and gone at the end."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

PASSWORD = "s3cret-of-the-tests"
QUICK = "-c fsync=off -c max_connections=200"


def binaries() -> Path | None:
    """The folder of PostgreSQL's programs; Debian has them off the path, by version."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), default=None)


@contextmanager
def server(bin_: Path) -> Iterator[Callable[[], str]]:
    """Runs a server; gives what makes a new, empty database and returns its URL."""
    # It refuses to run as root, and the user it then runs as must reach its folder.
    user: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="llmnas-postgres-"))
    data = folder / "data"

    def do(program: str, *arguments: str) -> None:
        with (folder / "said").open("ab") as said:  # a pipe would stay open in the server
            done = subprocess.run([bin_ / program, *arguments], cwd=folder, stdout=said, stderr=said, **user)
        assert done.returncode == 0, (folder / "said").read_text()

    try:
        (folder / "password").write_text(PASSWORD)
        if user:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        how = ("--auth=scram-sha-256", f"--pwfile={folder}/password", "--encoding=UTF8", "--locale=C.UTF-8")
        do("initdb", "-D", str(data), "-U", "tests", "--no-sync", *how)
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 {QUICK}"
        do("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield _maker(f"postgresql+psycopg://tests:{PASSWORD}@127.0.0.1:{port}")
        finally:
            do("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _maker(url: str) -> Callable[[], str]:
    numbers = itertools.count()

    def new() -> str:
        name = f"store{next(numbers)}"
        engine = sa.create_engine(f"{url}/postgres", isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"create database {name}")
        return f"{url}/{name}"

    return new
