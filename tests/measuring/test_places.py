"""Devices elsewhere: OpenSSH's client against a real server on this machine."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmnas_mcp.devices.own import OwnDevice, add_device, times_of
from llmnas_mcp.errors import LabError
from llmnas_mcp.measuring import session
from llmnas_mcp.measuring.campaign import measure_space
from llmnas_mcp.spaces import DATASETS, get_space

asyncssh = pytest.importorskip("asyncssh", reason="asyncssh is not installed: pip install asyncssh")
SSH = shutil.which("ssh")
pytestmark = pytest.mark.skipif(SSH is None, reason="OpenSSH's client is not here: apt-get install openssh-client")

SPACE, DATASET = get_space("nasbench201"), DATASETS["cifar10"]
THERE = OwnDevice("there", "onnxruntime", ssh="board")


class Host:
    """The host and how the client here knows it: as board, by its key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("host", "user", "stranger"):
            key = asyncssh.generate_private_key("ssh-ed25519")
            key.write_private_key(folder / name)
            key.write_public_key(folder / f"{name}.pub")
            (folder / name).chmod(stat.S_IRUSR)
        (folder / "bin").mkdir()
        (folder / "bin" / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (folder / "bin" / "python3").chmod(0o755)
        self.before("")

    def before(self, shell: str) -> None:
        """What the host does before it runs the runner."""
        (self.folder / "before").write_text(shell)

    @property
    def commands(self) -> list[str]:
        return (self.folder / "commands").read_text().splitlines()

    def known(self, by: str = "host", user: str = "user", port: int | None = None) -> None:
        """Have the client know the host by that key, and come with that key of a user."""
        number = port or (self.folder / "port").read_text()
        (self.folder / "known").write_text(f"[127.0.0.1]:{number} {(self.folder / f'{by}.pub').read_text()}")
        (self.folder / "config").write_text(
            f"Host board\n HostName 127.0.0.1\n Port {number}\n User tester\n IdentityFile {self.folder}/{user}\n"
            f" IdentitiesOnly yes\n UserKnownHostsFile {self.folder}/known\n GlobalKnownHostsFile none\n"
            " StrictHostKeyChecking yes\n"
        )


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    folder = tmp_path / "host"
    folder.mkdir()
    made = Host(folder)
    # ssh reads its files where the account says, not HOME: so a command of its name that says where they are.
    (tmp_path / "bin").mkdir()
    wrapper = tmp_path / "bin" / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {SSH} -F {folder}/config "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(session, "PASSES", (3, 4))
    script = Path(__file__).with_name("host.py")
    with subprocess.Popen([sys.executable, str(script), str(folder)], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "listening\n"
        made.known()
        yield made
        running.kill()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    add_device(THERE, tmp_path / "tables")
    return tmp_path / "tables"


def test_networks_are_timed_on_a_host_by_ssh_which_keeps_nothing(host: Host, data: Path) -> None:
    assert measure_space(THERE, SPACE, DATASET, data, architectures=2).measured == 2
    assert len(times_of("there", data)) == 2
    assert [command.split()[0] for command in host.commands] == ["mktemp", "tar", "python3", "rm"]
    assert not list(host.folder.glob("tmp*"))


def test_a_host_that_does_not_let_us_in_is_told(host: Host, data: Path) -> None:
    host.known(user="stranger")
    with pytest.raises(LabError, match="set up a key that needs no password"):
        measure_space(THERE, SPACE, DATASET, data, architectures=2)


@pytest.mark.thorough
def test_a_host_whose_key_is_unknown_or_another_is_told(host: Host, data: Path) -> None:
    for change in (lambda: host.known(by="stranger"), (host.folder / "known").unlink):
        change()
        with pytest.raises(LabError, match="its host key is not known here, or has changed"):
            measure_space(THERE, SPACE, DATASET, data, architectures=2)


def test_where_nothing_listens_it_is_told(host: Host, data: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host.known(port=free.getsockname()[1])
        with pytest.raises(LabError, match="nothing listens there"):
            measure_space(THERE, SPACE, DATASET, data, architectures=2)


@pytest.mark.parametrize(
    ("instead", "reason"),
    [
        ("kill -9 $$;", "the connection ended, or the runner was killed there"),
        pytest.param("echo tar: No space left on device >&2; exit 1;", "its disk is full", marks=pytest.mark.thorough),
        pytest.param(
            "PATH=/usr/bin:/bin PYTHONHOME=/nowhere", "there could not be measured on", marks=pytest.mark.thorough
        ),
    ],
)
def test_a_runner_that_ends_there_is_told_and_its_folder_is_removed(
    host: Host, data: Path, instead: str, reason: str
) -> None:
    host.before(instead)
    with pytest.raises(LabError, match=reason) as raised:
        measure_space(THERE, SPACE, DATASET, data, architectures=2)
    assert "the same command goes on from there" in str(raised.value)
    assert not list(host.folder.glob("tmp*"))
    host.before("")
    assert measure_space(THERE, SPACE, DATASET, data, architectures=2).measured == 2
