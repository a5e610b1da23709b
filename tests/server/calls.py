"""A call of every tool, with which each has something to say."""

from __future__ import annotations

from typing import Any

from tests.server.conftest import CELL

OTHER = "|nor_conv_1x1~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
REFUSED_ON_EDGETPU = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"

Call = tuple[str, dict[str, Any]]

START: Call = ("start_search", {"device": "raspi4", "evaluations": 20, "niches": 2, "seed": 1})


def first_results(search_id: str) -> list[Call]:
    """What gives a search that START began results, in this order: designs, and a rule."""
    cells = [CELL, OTHER, CELL, "|nonsense|"]
    origins = [{"operator": "fresh", "reason": "to begin with"}, *({"operator": "mutation", "parents": [CELL]},) * 3]
    rule = {"action": "add", "statement": "More convolutions score higher.", "confidence": 0.5, "evidence": [CELL]}
    return [
        ("submit_architectures", {"search_id": search_id, "architectures": cells, "origins": origins}),
        ("update_knowledge_base", {"search_id": search_id, "niche": 0, "edits": [rule]}),
    ]


def rest(search_id: str) -> list[Call]:
    """The other tools, which can be called in any order."""
    points = [
        {"architecture": "fast", "score": 0.2, "cost": 1.0},
        {"architecture": "strong", "score": 0.9, "cost": 3.0},
    ]
    return [
        ("list_spaces", {}),
        ("list_devices", {}),
        ("query_latency", {"architectures": [CELL, REFUSED_ON_EDGETPU], "device": "edgetpu"}),
        ("query_latency", {"architectures": [CELL], "device": "edgegpu", "objective": "energy"}),
        ("score_zero_cost", {"architectures": [CELL]}),
        ("export_architecture", {"architecture": CELL}),
        ("export_architecture", {"architecture": CELL, "format": "onnx"}),
        ("get_search", {"search_id": search_id}),
        ("list_searches", {"limit": 1}),
        ("get_brief", {"search_id": search_id, "niche": 0}),
        ("mine_rules", {"search_id": search_id, "niche": 0}),
        ("breed_architectures", {"search_id": search_id, "niche": 0, "count": 3}),
        ("list_niche_members", {"search_id": search_id, "limit": 1}),
        ("compute_pareto_front", {"search_id": search_id}),
        ("compute_pareto_front", {"points": points}),
        ("compute_pareto_front", {"points": [p | {"costs": {"latency": p["cost"], "macs": 1}} for p in points]}),
        ("plot_pareto_front", {"search_id": search_id}),
    ]
