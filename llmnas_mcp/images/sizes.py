"""What size images have: checked, and made what was asked for, by Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llmnas_mcp.errors import DataError
from llmnas_mcp.images.images import Bytes

if TYPE_CHECKING:
    from PIL.Image import Image

SMALLEST, LARGEST = 4, 1024  # pixels a side
MOST_BYTES = 8 * 2**30  # images are held in memory, unpacked


def check_resolution(resolution: int | None) -> None:
    """Raise DataError for a resolution that cannot be asked for; None is none."""
    if resolution is not None and not SMALLEST <= resolution <= LARGEST:
        raise DataError(f"--resolution {resolution} is out of range: choose {SMALLEST} to {LARGEST} pixels.")


def check_room(count: int, resolution: int, channels: int, where: str) -> None:
    """Raise DataError where so many images are more than fit in memory."""
    size = count * resolution**2 * channels
    if size > MOST_BYTES:
        raise DataError(
            f"{where}: {count:,} images of {resolution}x{resolution} pixels take {size / 2**30:.0f} GB unpacked, and at"
            f" most {MOST_BYTES / 2**30:.0f} GB are held. Give a smaller --resolution, or fewer images."
        )


def fitted(image: Image, resolution: int) -> Image:
    """The image as a square of that resolution: its middle is cut out where it is no square, then scaled."""
    from PIL import Image, ImageOps

    if image.size == (resolution, resolution):
        return image
    return ImageOps.fit(image, (resolution, resolution), Image.Resampling.BILINEAR)


def resized(images: Bytes, resolution: int | None) -> Bytes:
    """Images (n, height, width, channels) at a resolution; None where they are to stay as they are."""
    from PIL import Image

    if resolution is None or images.shape[1:3] == (resolution, resolution):
        return images
    found = np.empty((len(images), resolution, resolution, images.shape[3]), np.uint8)
    grey = images.shape[3] == 1
    for into, image in zip(found, images, strict=True):
        small = np.asarray(fitted(Image.fromarray(image[..., 0] if grey else image), resolution))
        into[:] = small[..., None] if grey else small
    return found


def squared(images: Bytes, resolution: int | None, where: str) -> Bytes:
    """Images of an array, as squares; raises DataError where they are none, or too small, and nothing else is asked."""
    height, width = images.shape[1:3]
    if resolution is None and height != width:
        raise DataError(
            f"{where} has images of {width}x{height} pixels, and networks take squares: say --resolution"
            f" {min(height, width)}, for their middle."
        )
    if resolution is None and not SMALLEST <= height <= LARGEST:
        raise DataError(
            f"{where} has images of {width}x{height} pixels: say --resolution N, from {SMALLEST} to {LARGEST}."
        )
    check_room(len(images), resolution or height, images.shape[3], where)
    return resized(images, resolution)
