"""Networks that were trained: what is known of them, and training more. Accuracies in %, never mixed with scores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from llmnas_mcp import results as r
from llmnas_mcp.errors import LabError
from llmnas_mcp.images import Images
from llmnas_mcp.search.instruments import read_all
from llmnas_mcp.search.store import Store
from llmnas_mcp.spaces import Genotype, Space
from llmnas_mcp.training import Ask, Campaign, Progress, Trained, cost, plan, recipe_for
from llmnas_mcp.training.baseline import logistic_regression
from llmnas_mcp.training.campaign import FOLDER

MOST_TRAINED, MOST_EPOCHS = 100, 10_000


def trained_of(store: Store, space: Space, dataset: str | None, genotypes: Sequence[Genotype]) -> list[Trained | None]:
    """What training showed of each genotype on data of that name, or on any for None: its longest, then its newest.

    Networks are trained in their canonical form, which stands for all that compute the same. Of data that was replaced
    under its name only the newest counts. Compare only what has the same `of_epochs`, and better the same `epochs`.
    """
    wanted = [space.format(space.canonical(genotype)) for genotype in genotypes]
    found = {record.architecture: record for record in reversed(_records(store, space.name, dataset))}
    return [found.get(architecture) for architecture in wanted]


def kept_weights(store: Store, space: Space, dataset: str | None, genotype: Genotype, data: Path) -> Path | None:
    """The weights of a network that was trained on data of that name, or on any for None; None where none are kept.

    `data`: the folder of tables. They are those of the network's canonical form.
    """
    (record,) = trained_of(store, space, dataset, [genotype])
    path = data / FOLDER / record.weights if record else None
    return path if path and path.is_file() else None


def best_trained(store: Store, space: Space, architectures: Collection[str], most: int = 10) -> list[r.Trained]:
    """Those of the architectures, in canonical form, that were trained on whatever data: by data, the best first."""
    own = set(architectures)
    newest: dict[tuple[str, str], Trained] = {}
    for record in _records(store, space.name, None):
        if record.architecture in own:
            newest.setdefault((record.data, record.architecture), record)
    ranked = sorted(newest.values(), key=lambda record: (record.data, -record.epochs, -record.valid))
    return [_told(record) for record in ranked[:most]]


def train_architectures(
    architectures: Sequence[str],
    *,
    space: Space,
    images: Images,
    store: Store,
    data: Path,
    epochs: int = 12,
    budget: int | None = None,
    seed: int = 0,
    flip: bool | None = None,
    progress: Progress | None = None,
    begin: Callable[[int, float], None] | None = None,
) -> r.Trainings:
    """Train networks on images by successive halving, the best for `epochs`, and remember each result.

    budget: of the epochs of all together, by default half of what all would take. begin(epochs in all, seconds that
    they take about) is called before training starts. What was trained before, in the same way, is not trained again.
    Raises LabError where nothing can be trained, and SpaceError where the space takes no such images.
    """
    for name, value, least, most in (("epochs", epochs, 1, MOST_EPOCHS), ("seed", seed, 0, 2**31 - 1)):
        if not least <= value <= most:
            raise LabError(f"{name}={value} is out of range: choose {least} to {most:,}.")
    if not 1 <= len(architectures) <= MOST_TRAINED:
        raise LabError(f"{len(architectures)} networks to train: give 1 to {MOST_TRAINED}.")
    space.check_dataset(images.shape)
    genotypes = list(dict.fromkeys(map(space.canonical, read_all(space, architectures))))
    for genotype in genotypes:
        if space.constant(genotype):
            raise LabError(f"The output of {space.format(genotype)} does not depend on its input: leave it out.")
    rungs = plan(len(genotypes), epochs, budget)
    ask = Ask(space, genotypes, images, recipe_for(space, images, flip), rungs, seed)

    def known(key: str, done: int) -> Trained | None:
        row = store.training(key, done)
        return None if row is None else Trained(**row)

    with Campaign(ask, data) as campaign:
        seconds = campaign.estimate(known)
        if begin:
            begin(cost(rungs), seconds)
        best, failed = campaign.train(known, lambda record: store.add_training(asdict(record)), progress)
    return r.Trainings(
        results=[_told(record) for record in best],
        failed={space.format(genotype): why for genotype, why in failed.items()},
        epochs=cost(rungs),
        estimated_s=seconds,
        plain=logistic_regression(images),
        next="valid, on images held out from training, is what to choose by; test tells what the choice is worth.",
    )


def trainings_of(store: Store, space: Space, data: str) -> list[Trained]:
    """All that was trained of a space on the newest data of that name, at every length it was stopped at."""
    return _records(store, space.name, data)


def _records(store: Store, space: str, data: str | None) -> list[Trained]:
    """The trainings in a space, the longest first and of equal ones the newest; of each data its newest version."""
    rows = store.trainings(space, data)
    digest = {row["data"]: row["digest"] for row in rows}  # the last stands
    own = [Trained(**row) for row in rows if row["digest"] == digest[row["data"]]]
    return sorted(own, key=lambda record: record.epochs)[::-1]


def _told(record: Trained) -> r.Trained:
    names = r.Trained.model_fields
    return r.Trained(**{name: value for name, value in asdict(record).items() if name in names})
