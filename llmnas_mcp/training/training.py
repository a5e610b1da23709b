"""The training of one network, which may stop at any step and goes on from there to exactly the same result.

What a step does follows from its number and the seed: its batch, its learning rate, whatever torch draws. So all that
is saved is the network, the averages of its weights, the optimizer and the number of the step, in one file that is
replaced whole.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn
from torch.nn import functional

from llmnas_mcp.errors import DataError, LabError
from llmnas_mcp.images import Images
from llmnas_mcp.scoring.observation import exactly, seeded
from llmnas_mcp.spaces import Genotype, Space
from llmnas_mcp.training.batches import Batches, Part
from llmnas_mcp.training.files import read_whole, write_whole
from llmnas_mcp.training.recipe import SPLIT, Recipe

VERSION = 1  # raise it with anything that changes a result
SAVE_EVERY, SAVING = 2.0, 0.05  # seconds between two savings, and the most of the time that they may take


@dataclass(frozen=True)
class Course:
    """What is trained and how: all of it together decides the result, on one machine. device: "cpu" or "cuda"."""

    space: Space
    genotype: Genotype
    images: Images
    recipe: Recipe
    epochs: int
    seed: int
    device: str = "cpu"

    @cached_property
    def key(self) -> str:
        """Twenty digits that follow from everything."""
        told = [VERSION, self.space.name, self.space.edition, self.genotype, self.images.digest, self.epochs, self.seed]
        whole = json.dumps([*told, asdict(self.recipe), SPLIT, self.device])
        return hashlib.sha256(whole.encode()).hexdigest()[:20]

    @property
    def name(self) -> str:
        """The architecture, for people."""
        return self.space.short(self.genotype)


class Training:
    """One network in training; a folder has its file, from which it goes on if there is one."""

    def __init__(self, course: Course, batches: Batches, folder: Path) -> None:
        self.course, self.batches, self.path = course, batches, folder / f"{course.key}.resume"
        self.device = torch.device(course.device)
        self.step, self.seconds = 0, 0.0
        with seeded(course.seed):
            self.network = course.space.network(course.genotype, course.images.shape).to(self.device)
        self.total = batches.steps * course.epochs
        self.ema = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.optimizer = _optimizer(self.network, course.recipe)
        self._saved = self._took = 0.0
        if self.path.exists():
            self._load()

    def until(self, epochs: int, seconds: float = math.inf) -> bool:
        """Train until it has had so many epochs, or for about so many seconds; says whether it has had them.

        Saved at the end, and now and then before. Raises LabError where the loss is no number any more.
        """
        began = now = self._saved = time.monotonic()
        while self.step < epochs * self.batches.steps and now - began < seconds:
            self.take()
            before, now = now, time.monotonic()
            self.seconds += now - before
            if now - self._saved > max(SAVE_EVERY, self._took / SAVING):
                self.save()
        if now > began:
            self.save()
        return self.step >= epochs * self.batches.steps

    def accuracy(self, part: Part) -> float:
        """In %, of the averaged weights."""
        with self.averaged(), exactly(), torch.no_grad():
            right = sum(int((self._logits(x).argmax(1) == y).sum()) for x, y in self.batches.whole(part))
        return 100 * right / len(part)

    @contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """Inside, the network has the averaged weights, and is evaluated."""
        own = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.ema)
        self.network.eval()
        try:
            yield self.network
        finally:
            self.network.load_state_dict(own)
            self.network.train()

    def save(self) -> None:
        """Write all there is to a file that is whole, or as it was."""
        began = time.monotonic()
        write_whole(
            self.path,
            {
                "network": self.network.state_dict(),
                "ema": self.ema,
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
            },
        )
        self._saved = time.monotonic()
        self._took = self._saved - began

    def _load(self) -> None:
        saved = read_whole(self.path, "Delete it and train again.", self.course.device)
        self.network.load_state_dict(saved["network"])
        self.ema = saved["ema"]
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step, self.seconds = int(saved["step"]), float(saved["seconds"])

    def take(self) -> None:
        """One step."""
        course, recipe = self.course, self.course.recipe
        x, y = self.batches.batch(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.rate * _share(self.step, self.total, recipe.warm_up)
        self.network.train()
        with exactly(), seeded(_seed(course.seed, self.step)):
            loss = functional.cross_entropy(self._logits(x), y, label_smoothing=recipe.smoothing)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
            self.optimizer.step()
        self.step += 1
        if self.step % 10 == 0 and not math.isfinite(loss.item()):
            raise LabError(f"{course.name} can't be trained: its loss is no number after {self.step} steps.")
        self._average()

    def _logits(self, x: Tensor) -> Tensor:
        # bfloat16 has the range of float32, so that no loss need be scaled; older GPUs stay in float32.
        mixed = self.device.type == "cuda" and torch.cuda.is_bf16_supported()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            logits: Tensor = self.network(x)
        return logits.float()

    def _average(self) -> None:
        over = max(5.0, self.course.recipe.ema * self.total)
        share = max(1 / over, 1 / (self.step + 1))  # at first the mean of all weights until now
        averaged = {name for name, _ in self.network.named_parameters()}
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if name in averaged:
                    self.ema[name].lerp_(value, share)
                else:  # statistics of normalisation are averages already, and would lag behind in a short training
                    self.ema[name].copy_(value)


def _share(step: int, total: int, warm_up: float) -> float:
    """The learning rate of a step as a share of the highest: a line up, then half a cosine down.

    >>> [round(_share(step, 100, 0.1), 2) for step in (0, 9, 10, 55, 99)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    rising = max(1, round(warm_up * total))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, total - rising)))


def _seed(seed: int, step: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{step}".encode()).digest()[:7])


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    own = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in own if p.ndim > 1], "weight_decay": recipe.decay},
        {"params": [p for p in own if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.rate)
    return torch.optim.SGD(groups, lr=recipe.rate, momentum=recipe.momentum, nesterov=True)


@contextmanager
def alone(course: Course, folder: Path) -> Iterator[None]:
    """A lock on a training, which goes with the process; raises LabError where another process has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{course.key}.lock", timeout=0):
            for left in folder.glob(f"{course.key}.*.partial"):  # of a process that was killed while it wrote
                left.unlink(missing_ok=True)
            yield
    except Timeout:
        raise LabError(f"Another process trains {course.name} now. Wait for it, or stop it.") from None
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror}. Set LLMNAS_DATA to a folder.") from None
