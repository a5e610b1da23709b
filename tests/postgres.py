"""A PostgreSQL server of the tests' own, from Debian's package: started on a free port, stopped and gone at the end."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
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


class Postgres:
    """A server in a folder of its own, not yet started."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries, self._folder, self._numbers = binaries, folder, itertools.count()
        # It refuses to run as root, and the user it then runs as must reach its folder.
        root = os.geteuid() == 0
        self._user: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if root else {}
        (folder / "password").write_text(PASSWORD)
        if root:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        how = ("--auth=scram-sha-256", f"--pwfile={folder}/password", "--encoding=UTF8", "--locale=C.UTF-8")
        self._do("initdb", "-U", "tests", "--no-sync", *how)

    def start(self) -> None:
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1 {QUICK}"
        self._do("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """As a crash would: nobody is waited for, nothing is written."""
        self._do("pg_ctl", "-w", "-m", "immediate", "stop")

    def new(self) -> str:
        """Makes a new, empty database; its URL."""
        url, name = f"postgresql+psycopg://tests:{PASSWORD}@127.0.0.1:{self._port}", f"store{next(self._numbers)}"
        engine = sa.create_engine(f"{url}/postgres", isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"create database {name}")
        return f"{url}/{name}"

    def _do(self, program: str, *arguments: str) -> None:
        place = ("-D", str(self._folder / "data"))
        with (self._folder / "said").open("ab") as said:  # a pipe would stay open in the server
            done = subprocess.run(
                [self._binaries / program, *place, *arguments],
                cwd=self._folder,
                stdout=said,
                stderr=said,
                check=False,
                **self._user,
            )
        assert done.returncode == 0, (self._folder / "said").read_text()


@contextmanager
def server(binaries: Path) -> Iterator[Postgres]:
    """A running server, stopped and gone at the end."""
    with tempfile.TemporaryDirectory(prefix="llmnas-postgres-") as folder:
        postgres = Postgres(binaries, Path(folder))
        postgres.start()
        try:
            yield postgres
        finally:
            postgres.stop()
