"""A search space of your own: llmnas space check examples/tinynet.py:TinyNet, then llmnas search --space the same."""

from torch import nn

from llmnas_mcp.spaces import Space


class TinyNet(Space):
    """Small CNNs: one to three stages of convolutions, each with its own kernel."""

    name = "tinynet"
    choices = {  # position -> the values allowed there
        "depth": (1, 2, 3),
        "width": (16, 24, 32),
        "kernel.0": (3, 5),
        "kernel.1": (3, 5),
        "kernel.2": (3, 5),
    }

    def active(self, chosen):
        """The positions that matter: a network of two stages has no third kernel."""
        return ["depth", "width", *(f"kernel.{i}" for i in range(chosen["depth"]))]

    def build(self, chosen, dataset):
        """Stages of half the resolution and twice the width of the one before, then one layer to the classes."""
        layers, channels = [], dataset.channels
        for i in range(chosen["depth"]):
            width, kernel = chosen["width"] * 2**i, chosen[f"kernel.{i}"]
            for stride in (1, 2):
                convolution = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False)
                layers.append(nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU()))
                channels = width
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, dataset.classes))
