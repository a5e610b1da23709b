"""How good it looks untrained: zero-cost proxies, their aggregate, and atlases of computed scores."""

from llmnas_mcp.scoring.calibration import Calibration, calibration_of
from llmnas_mcp.scoring.engine import DEFAULT, attempt, build, check_proxies, measure
from llmnas_mcp.scoring.forms import form_of
from llmnas_mcp.scoring.proxies import PROXIES, Proxy
from llmnas_mcp.scoring.score import Scores, has_atlas, looked_up, proxies_at_hand, score_of

__all__ = [
    "DEFAULT",
    "PROXIES",
    "Calibration",
    "Proxy",
    "Scores",
    "attempt",
    "build",
    "calibration_of",
    "check_proxies",
    "form_of",
    "has_atlas",
    "looked_up",
    "measure",
    "proxies_at_hand",
    "score_of",
]
