"""Exporting: built, reduced to what is alive, written, opened again and compared; then whole files, or none."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from llmnas_mcp import __version__
from llmnas_mcp.errors import LabError
from llmnas_mcp.exporting import checking
from llmnas_mcp.exporting.card import LICENCE, Card, as_json, as_markdown, versions
from llmnas_mcp.exporting.formats import Format, format_of
from llmnas_mcp.exporting.quantising import accuracy, check_int8, quantise
from llmnas_mcp.exporting.trained import Trained
from llmnas_mcp.images import Images
from llmnas_mcp.runtimes import converters
from llmnas_mcp.runtimes.alive import alive
from llmnas_mcp.spaces import Dataset, Genotype, Space

if TYPE_CHECKING:
    from torch import nn

PIXELS = "pixels from 0 to 1, less the mean and divided by the standard deviation of each channel"
Say = Callable[[str], None]
_EXPORTING = Lock()  # torch's exporters keep what they are at in globals: no two threads at a time


@dataclass(frozen=True)
class Subject:
    """What is exported. trained: its weights; without them it is as initialised. images: what it is for, if at hand.

    costs: rows of the card (objective, device, value, unit, source, error, reason). search: what its card tells of the
    search it comes from.
    """

    space: Space
    genotype: Genotype
    dataset: Dataset
    trained: Trained | None = None
    images: Images | None = None
    costs: Sequence[Card] = ()
    search: Card = field(default_factory=dict)

    @cached_property
    def network(self) -> nn.Module:
        """The network in evaluation mode."""
        from llmnas_mcp.measuring.session import calibrate
        from llmnas_mcp.scoring.engine import build

        network = build(lambda: self.space.network(self.genotype, self.dataset))
        if self.trained:
            self.trained.put_into(network)
        else:
            calibrate(network, self.size)
        return network.eval()

    @cached_property
    def graph(self) -> nn.Module:
        """What of the network is alive, for any number of images."""
        import torch

        return alive(self.network, torch.randn(2, *self.size, generator=torch.Generator().manual_seed(checking.SEED)))

    @property
    def size(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return (self.dataset.channels, self.dataset.resolution, self.dataset.resolution)

    @property
    def classes(self) -> list[str]:
        """The names of the classes, where they are known."""
        known = self.trained.card.classes if self.trained else self.images.classes if self.images else ()
        return list(known)

    @property
    def normalised(self) -> dict[str, list[float]]:
        """Mean and standard deviation by which images are normalised, by channel; empty where nobody has said."""
        known = self.trained.card if self.trained else self.images
        if known is None:
            return {}
        return {"mean": [float(m) for m in known.mean], "std": [float(s) for s in known.std]}

    def about(self) -> dict[str, str]:
        """What the file itself says of the network."""
        facts = {
            "architecture": self.space.format(self.genotype),
            "space": self.space.name,
            "dataset": self.dataset.name,
            "input": f"float32, (batch, {', '.join(map(str, self.size))}), {PIXELS}",
            "made_by": f"llmnas-mcp {__version__}",
        }
        if self.classes:
            facts["classes"] = json.dumps(self.classes)
        return facts | {name: json.dumps(values) for name, values in self.normalised.items()}


def export(
    subject: Subject,
    format: str,  # noqa: A002 - the name it has everywhere
    out: Path,
    *,
    int8: bool = False,
    force: bool = False,
    say: Say = lambda _: None,
) -> Card:
    """Write a network to `out`, with its card beside it as .json and .md; returns the card.

    The file is opened in its runtime and compared with torch first; one that differs is an error, and whatever goes
    wrong, nothing is left. int8: see `quantising`. force: files that are there are replaced. say(what is done now).
    """
    kind = format_of(format)
    if int8:
        check_int8(kind)
        if subject.images is None:
            raise LabError("--int8 needs images to calibrate by: name them with --data.")
    kind.check(out)
    made_of = [*kind.files(out), Path(f"{out}.json"), Path(f"{out}.md")]
    for path in made_of:
        if path.exists() and not force:
            raise LabError(f"{path} is there already: name another --out, or replace it with --force.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _EXPORTING, tempfile.TemporaryDirectory(prefix=".llmnas-", dir=out.parent) as folder:
            card = _write(subject, kind, Path(folder, out.name), int8, say)
            for path in [*made_of[-2:], *made_of[:-2]]:
                Path(folder, path.name).replace(path)
    except OSError as error:
        raise LabError(f"{out}: cannot be written ({error.strerror or error}). Name another --out.") from error
    return card


def _write(subject: Subject, kind: Format, part: Path, int8: bool, say: Say) -> Card:
    """Write all files of an export into the folder of `part`; the card."""
    import torch

    network, dataset, about = subject.network, subject.dataset, subject.about()
    two = torch.zeros(2, *subject.size)
    say(f"writing {kind.name}")
    with torch.no_grad():
        kind.write(subject.graph, two, part, batches=True, about=about)
    say(f"checking it in {kind.runtime.title}")
    run = checking.opened(kind, part)
    off = checking.difference(kind, run, network, dataset)
    checking.check_near(kind, off)
    told = []
    if subject.images is not None:
        told.append(_told(subject, accuracy(run, subject.images), "float32"))
        if int8 and kind.of_onnx:
            say("quantising")
            with tempfile.TemporaryDirectory(dir=part.parent) as folder, torch.no_grad():
                whole, small = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
                converters.to_onnx(subject.graph, two, whole, batches=True)
                quantise(whole, subject.images, small)
                for path in kind.files(part):
                    path.unlink()  # a runtime may still read the weights of what it has open
                kind.of_onnx(small, part, about)
            run = checking.opened(kind, part)
            off = checking.difference(kind, run, network, dataset, subject.images)
            told.append(_told(subject, accuracy(run, subject.images), "int8"))
    card = _card(subject, kind, part, "int8" if int8 else "float32", off, told)
    Path(f"{part}.json").write_text(as_json(card), encoding="utf-8")
    Path(f"{part}.md").write_text(as_markdown(card), encoding="utf-8")
    return card


def _told(subject: Subject, value: float, precision: str) -> Card:
    count = len(subject.images.test_y) if subject.images else 0
    grade = "trained" if subject.trained else "untrained"
    return {"value": value, "grade": grade, "of": f"in {precision}, on {count:,} test images of {subject.dataset.name}"}


def _card(subject: Subject, kind: Format, part: Path, precision: str, off: float, told: list[Card]) -> Card:
    space, dataset, genotype = subject.space, subject.dataset, subject.genotype
    trained = subject.trained.card if subject.trained else None
    packages = {"torch": ("torch",), "onnx": ("torch", "onnx", "onnxruntime")}
    version = versions(
        *packages.get(kind.name, ("torch", "onnx", kind.name)), *(["onnxruntime"] if precision == "int8" else [])
    )
    if trained and trained.accuracy is not None and not told:
        epochs = f" after {trained.epochs} epochs" if trained.epochs else ""
        told = [{"value": trained.accuracy, "grade": "trained", "of": f"of its training on {dataset.name}{epochs}"}]
    return {
        "architecture": space.format(genotype),
        "space": space.name,
        "dataset": dataset.name,
        "file": {
            "name": part.name,
            "format": kind.name,
            "precision": precision,
            "bytes": sum(path.stat().st_size for path in kind.files(part)),
            "sha256": hashlib.sha256(part.read_bytes()).hexdigest(),
        },
        "input": {
            "name": converters.INPUT,
            "size": list(subject.size),
            "pixels": f"These are {PIXELS}" + (f": {subject.normalised}." if subject.normalised else "."),
            **subject.normalised,
        },
        "output": {"name": converters.OUTPUT, "classes": dataset.classes},
        "classes": subject.classes,
        "checked": {
            "runtime": f"{kind.runtime.title} {version.get(kind.opens, '')}".strip(),
            "batches": list(checking.BATCHES),
            "difference": off,
        },
        "params_m": float(space.params([genotype], dataset)[0] / 1e6),
        "macs_m": float(space.macs([genotype], dataset)[0] / 1e6),
        "trained": trained is not None,
        "accuracy": told,
        "costs": list(subject.costs),
        "search": subject.search,
        "training": trained.model_dump(include={"epochs", "seed", "recipe", "accuracy", "versions"}) if trained else {},
        "licence": LICENCE,
        "versions": version,
    }
