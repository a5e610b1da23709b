"""Trained weights: what `llmnas train` writes, read without running anything that the file may hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmnas_mcp.errors import DataError
from llmnas_mcp.spaces import Dataset

if TYPE_CHECKING:
    from torch import Tensor, nn

FIX = "Name one that llmnas train wrote."


class Training(BaseModel):
    """What a file of weights says of itself: the network, what it was trained for and how, and what came of it.

    mean, std: what images are normalised by, a number for each channel, pixels being in [0, 1]. accuracy: of the
    test images, in %. edition: of the file of a user's own space.
    """

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    architecture: str
    space: str
    edition: str = ""
    dataset: str
    classes: list[str] = Field(min_length=2)
    mean: list[float]
    std: list[float]
    resolution: int = Field(gt=0)
    channels: int = Field(gt=0)
    accuracy: float | None = None
    epochs: int | None = None
    seed: int | None = None
    recipe: Any = None
    versions: dict[str, str] = {}

    @property
    def shape(self) -> Dataset:
        """What the network takes and gives."""
        return Dataset(self.dataset, self.resolution, len(self.classes), self.channels)

    @property
    def told(self) -> str:
        """Which training it was: data, epochs and accuracy."""
        epochs = "" if self.epochs is None else f", {self.epochs} epoch{'s' * (self.epochs != 1)}"
        accuracy = "" if self.accuracy is None else f", {self.accuracy:.2f} % of the test images"
        return f"{self.dataset}{epochs}{accuracy}"


@dataclass(frozen=True)
class Trained:
    """A file of weights."""

    path: Path
    state: dict[str, Tensor]
    card: Training

    def put_into(self, network: nn.Module) -> None:
        """Give a network these weights; raises DataError where they are another network's."""
        try:
            network.load_state_dict(self.state)
        except RuntimeError as error:
            first = " ".join(line.strip() for line in str(error).splitlines()[1:3])
            raise DataError(
                f"{self.path}: its weights do not fit the network. They are of {self.card.architecture[:200]} in"
                f" {self.card.space} for {self.card.dataset}. {first[:300]}"
            ) from None


def read_weights(path: Path) -> Trained:
    """Read a file of weights; raises DataError, with what is wrong, where it is none."""
    from llmnas_mcp.training.files import read_whole

    held = read_whole(path, FIX)
    if not isinstance(held.get("state_dict"), dict):
        raise _no_weights(path, "it has no state_dict")
    try:
        card = Training.model_validate(json.loads(held.get("card", "")))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise _no_weights(path, f"its card: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (TypeError, ValueError):
        raise _no_weights(path, "it has no card that says what was trained") from None
    return Trained(path, held["state_dict"], card)


def _no_weights(path: Path, why: str) -> DataError:
    return DataError(f"{path} is not a whole file of weights: {why}. {FIX}")
