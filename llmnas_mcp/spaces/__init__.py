"""What can be built."""

from llmnas_mcp.spaces.base import Genotypes, Space
from llmnas_mcp.spaces.datasets import DATASETS, DIGITS, Dataset, dataset_shape, with_images
from llmnas_mcp.spaces.needed import Genotype
from llmnas_mcp.spaces.registry import BUILT_IN as SPACES
from llmnas_mcp.spaces.registry import get_space, known_spaces, names, space_of

__all__ = [
    "DATASETS",
    "DIGITS",
    "SPACES",
    "Dataset",
    "Genotype",
    "Genotypes",
    "Space",
    "dataset_shape",
    "get_space",
    "known_spaces",
    "names",
    "space_of",
    "with_images",
]
