"""What a network is built for: the input resolution and the number of classes of a dataset."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dataset:
    """An image-classification task: square inputs of `resolution` pixels and `channels` colours, `classes` labels."""

    name: str
    resolution: int
    classes: int
    channels: int = 3


DATASETS = {
    d.name: d
    for d in (
        Dataset("cifar10", 32, 10),
        Dataset("cifar100", 32, 100),
        Dataset("ImageNet16-120", 16, 120),
        Dataset("imagenet", 224, 1000),
    )
}


def dataset_shape(name: str) -> Dataset:
    """Return the dataset of that name; a name we do not know is taken as 32x32 inputs and 10 classes.

    Such a name can only come from a table a user imported, which says nothing about shapes.

    >>> dataset_shape("ImageNet16-120").classes
    120
    >>> dataset_shape("flowers")
    Dataset(name='flowers', resolution=32, classes=10, channels=3)
    """
    return DATASETS.get(name, Dataset(name, 32, 10))
