"""How much of the tests a run does, and how long it waits: no test is about time.

`make test-all` sets LLMNAS_TEST_ALL=1. Without it, tests marked `thorough` are left out, unless asked for by name, and
properties are tried on a tenth of their examples.
"""

from __future__ import annotations

import os

ALL = os.environ.get("LLMNAS_TEST_ALL") == "1"
HUNG = 1200  # seconds after which a wait has failed; ten times what any takes on a slow machine that has other work


def examples(number: int) -> int:
    """How many examples of a property to try, of `number` in a run of everything."""
    return number if ALL else max(5, number // 10)
