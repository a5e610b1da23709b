"""What can be built."""

from llmnas_mcp.errors import UnknownNameError
from llmnas_mcp.spaces.base import Genotype, Genotypes, SearchSpace
from llmnas_mcp.spaces.datasets import DATASETS, Dataset, dataset_shape
from llmnas_mcp.spaces.nasbench201.space import NASBench201

SPACES: dict[str, SearchSpace] = {NASBench201.name: NASBench201()}

__all__ = ["DATASETS", "SPACES", "Dataset", "Genotype", "Genotypes", "SearchSpace", "dataset_shape", "get_space"]


def get_space(name: str) -> SearchSpace:
    """The space of that name; raises UnknownNameError with the names there are.

    >>> get_space("nasbench201").size
    15625
    """
    if name not in SPACES:
        raise UnknownNameError("space", name, SPACES)
    return SPACES[name]
