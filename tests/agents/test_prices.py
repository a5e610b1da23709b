"""What Claude costs."""

from __future__ import annotations

from decimal import Decimal

import pytest
from llmnas_agents.llm.base import Prompt
from llmnas_agents.llm.claude import ADDED_TOKENS, Claude
from llmnas_agents.llm.prices import DEAREST, DEFAULT_MODEL, PRICES, cost_of, most_cost_of, price_of

from tests.agents.asking import Serve

pytestmark = pytest.mark.usefixtures("no_credentials")


def test_every_price_has_its_date_and_its_page() -> None:
    for model, price in PRICES.items():
        assert price.looked_up >= "2026-11-24", model
        assert price.source.startswith("https://platform.claude.com/docs/en/"), model
        assert price.cache_read < price.input < price.cache_write < price.output, model
    assert DEFAULT_MODEL in PRICES


def test_costs_add_up_exactly() -> None:
    assert sum(cost_of("claude-haiku-5-5", 1, 1, 1, 1).usd for _ in range(10_000)) == Decimal("0.00735")


def test_a_long_prompt_costs_more_where_the_price_says_so_with_what_the_cache_held() -> None:
    assert cost_of("claude-haiku-5-5", 50_000, 1_000, 25_000, 25_000).usd == Decimal("0.008875")
    assert cost_of("claude-haiku-5-5", 50_001, 1_000, 25_000, 25_000).usd == 5 * Decimal("0.0088751")
    assert most_cost_of("claude-haiku-5-5", 100_001, 0).usd == 5 * Decimal("0.012500125")


def test_an_unknown_model_costs_as_much_as_the_dearest_and_says_so(serve: Serve) -> None:
    serve([])
    assert price_of("llama") == (DEAREST, False)
    assert not cost_of("llama", 1).known
    for model in PRICES:
        assert cost_of("llama", 1, 1, 1, 1).usd >= cost_of(model, 1, 1, 1, 1).usd
    assert "llama is not among them and counted at the dearest" in Claude("llama").price
    assert Claude("claude-haiku-4-5-20251001").price == "prices of 2026-11-24"


@pytest.mark.parametrize("model", [*PRICES, "llama"])
def test_no_call_costs_more_than_was_said_before(serve: Serve, model: str) -> None:
    serve([])
    prompt = Prompt("|nor_conv_3x3~0|" * 50, "建筑", answer="{", error="no")
    size = 16 * 50 + 6 + 1 + 2 + ADDED_TOKENS  # bytes: as many tokens at most
    said = Claude(model).most_cost(prompt, 700)
    for kinds in [(size, 0, 0), (0, size, 0), (0, 0, size), (size // 2, size // 2, 1)]:
        fresh, written, read = kinds
        assert float(cost_of(model, fresh, 700, written, read).usd) <= said
