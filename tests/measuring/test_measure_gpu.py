"""scripts/measure_gpu.py as a process, on the CPU: where there is no GPU the rest of it can still be wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from llmnas_mcp.devices.own import measured_counts, own_devices

SCRIPT = Path(__file__).parents[2] / "scripts" / "measure_gpu.py"


@pytest.mark.thorough
def test_the_script_measures_and_leaves_a_device(tmp_path: Path) -> None:
    space = "nasbench201"
    command = [sys.executable, str(SCRIPT), "tried", "--accelerator", "cpu", "--spaces", space, "--out", str(tmp_path)]
    done = subprocess.run([*command, "--architectures", "2"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{space}: 2 measured in" in done.stdout
    assert '"runtime": "torch"' in done.stdout
    assert list(own_devices(tmp_path)) == ["tried"]
    (count,) = measured_counts("tried", tmp_path).values()
    assert count == 2
