"""How good it looks untrained: zero-cost proxies, their aggregate, and atlases of computed scores."""

from llmnas_mcp.scoring.proxies import PROXIES, Proxy
from llmnas_mcp.scoring.score import Scores, has_atlas, score_of

__all__ = ["PROXIES", "Proxy", "Scores", "has_atlas", "score_of"]
