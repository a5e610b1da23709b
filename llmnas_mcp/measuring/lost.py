"""What to say of a device that cannot be reached or went away."""

from __future__ import annotations

from llmnas_mcp.errors import LabError

_MEANS = (  # what a program says -> what it means to whoever waits
    ("Host key verification failed", "its host key is not known here, or has changed: log in once by hand"),
    ("Permission denied", "it did not let us in: set up a key that needs no password (ssh-copy-id)"),
    ("Connection refused", "nothing listens there: is sshd running, and the port right?"),
    ("Could not resolve hostname", "no such host: name it as in ~/.ssh/config"),
    ("timed out", "it does not answer: is it switched on?"),
    ("No space left on device", "its disk is full: make room there"),
    ("unauthorized", "the phone has not let this computer in: unlock it and allow debugging on its screen"),
    ("device offline", "the phone does not answer: unplug it and plug it in again"),
    ("no devices/emulators", "no phone is connected: see `adb devices`"),
    ("' not found", "it is not there: see `adb devices` for the phones that are"),
    ("No module named", "the runtime or numpy is not installed there: install it for the python3 that ssh finds"),
)


def lost(name: str, code: int, said: str) -> LabError:
    """The error of a program that ended with a code before it was done, by the last that it said."""
    lines = [line for line in said.strip().splitlines() if line.strip()]
    reason = next((means for words, means in _MEANS if words in said), None)
    if reason is None and (code < 0 or 128 < code < 192):  # a shell's way to tell of a signal, or Python's
        reason = f"the runner was ended by signal {-code if code < 0 else code - 128} (9: mostly for want of memory)"
    if reason is None and code == 255:  # of ssh
        reason = "the connection ended, or the runner was killed there, mostly for want of memory"
    last = f" It said: {lines[-1][:300]}" if lines else ""
    return LabError(
        f"{name} could not be measured on: {reason or f'the runner ended with {code}'}.{last}"
        " What was measured before is kept: the same command goes on from there."
    )
