"""Images to train on and to check with: built in, added by the laboratory's owner, or in a file or folder."""

from llmnas_mcp.images.images import Images
from llmnas_mcp.images.known import add_images, load_images, remove_images, summaries

__all__ = ["Images", "add_images", "load_images", "remove_images", "summaries"]
