from __future__ import annotations

import pytest
from llmnas_agents.cli.left import LOG, Left

pytestmark = pytest.mark.anyio


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def heard(left: Left, clock: Clock, *steps: tuple[float, int]) -> None:
    for now, done in steps:
        clock.now = now
        await left(done, 100, f"scored {done} of 100")


async def test_the_time_left_is_told_by_the_pace_so_far_and_not_too_often() -> None:
    said: list[str] = []
    clock = Clock()
    left = Left(said.append, clock)
    await heard(left, clock, (0, 1), (LOG / 2, 11), (2 * LOG, 41), (2.1 * LOG, 42), (4 * LOG, 81))
    assert said == ["scored 41 of 100, about 44 s left", "scored 81 of 100, about 14 s left"]


async def test_each_call_has_a_pace_of_its_own_and_one_that_is_done_nothing_left() -> None:
    said: list[str] = []
    clock = Clock()
    left = Left(said.append, clock)
    await heard(left, clock, (0, 1), (LOG, 99), (3 * LOG, 100), (100 * LOG, 1), (101 * LOG, 51))
    assert said == ["scored 51 of 100, about 15 s left"]
