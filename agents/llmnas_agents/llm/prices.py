"""What Claude costs: one dated table, US dollars per million tokens.

To renew it, look every line up on the pages named beside it and set its date. Prices are the list prices of the API in
its standard tier; a workspace bound to one region pays a tenth more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

DOCS = "https://platform.claude.com/docs/en"
PRICING = f"{DOCS}/about-claude/pricing"
MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens by kind, when they were looked up and where.

    Where `long_from` is set, a prompt of more tokens than that costs `long_times` as much, its output included.
    """

    input: Decimal
    output: Decimal
    cache_write: Decimal  # kept five minutes
    cache_read: Decimal
    looked_up: str
    source: str
    long_from: int | None = None
    long_times: int = 1


class Cost(NamedTuple):
    """US dollars, exact; `known` is False where the model is not in the table and the dearest price was taken."""

    usd: Decimal
    known: bool


def _price(
    prices: str, source: str, *, looked_up: str = "2026-11-24", long_from: int | None = None, long_times: int = 1
) -> Price:
    """A price from "input output cache_write cache_read"."""
    fresh, output, cache_write, cache_read = map(Decimal, prices.split())
    return Price(fresh, output, cache_write, cache_read, looked_up, source, long_from, long_times)


# Input, output, cache write, cache read. The cache prices of Fable 5.2 and the cache reads of Sonnet 5.5 (0.20 until
# 2026-10-07) and Haiku 5.5 are as several others quote the pricing page, which agree.
PRICES = {
    "claude-fable-5-2": _price("8 40 10 0.20", f"{DOCS}/models/overview"),
    "claude-fable-5-1": _price("10 50 12.50 0.25", PRICING),
    "claude-fable-5": _price("10 50 12.50 1", PRICING),
    "claude-opus-5-5": _price("4 20 5 0.20", f"{DOCS}/models/opus-5-5/overview"),
    "claude-opus-5": _price("5 25 6.25 0.50", PRICING),
    "claude-opus-4-8": _price("5 25 6.25 0.50", PRICING),
    "claude-opus-4-7": _price("5 25 6.25 0.50", PRICING),
    "claude-opus-4-6": _price("5 25 6.25 0.50", PRICING),
    "claude-opus-4-5": _price("5 25 6.25 0.50", PRICING),
    "claude-opus-4-1": _price("15 75 18.75 1.50", PRICING),  # retired, but may be had elsewhere
    "claude-sonnet-5-5": _price("2 10 2.50 0.10", f"{DOCS}/models/sonnet-5-5/overview"),
    "claude-sonnet-5": _price("2 10 2.50 0.20", f"{DOCS}/models/sonnet-5/overview"),
    "claude-sonnet-4-6": _price("3 15 3.75 0.30", PRICING),
    "claude-sonnet-4-5": _price("3 15 3.75 0.30", PRICING),
    "claude-haiku-5-5": _price(
        "0.10 0.50 0.125 0.01", f"{DOCS}/models/haiku-5-5/overview", long_from=100_000, long_times=5
    ),
    "claude-haiku-4-5": _price("1 5 1.25 0.10", PRICING),
}
DEFAULT_MODEL = "claude-sonnet-5-5"
DEAREST = Price(
    max(price.input for price in PRICES.values()),
    max(price.output for price in PRICES.values()),
    max(price.cache_write for price in PRICES.values()),
    max(price.cache_read for price in PRICES.values()),
    min(price.looked_up for price in PRICES.values()),
    "the dearest of each kind",
)


def price_of(model: str) -> tuple[Price, bool]:
    """The price of a model, with or without the date in its name, and whether it is known.

    A model the table lacks gets the dearest price of each kind, so that a limit on cost holds whatever it is.

    >>> price_of("claude-haiku-4-5-20251001")[0].output
    Decimal('5')
    >>> price_of("a-model-of-tomorrow")[0].output, price_of("a-model-of-tomorrow")[1]
    (Decimal('75'), False)
    """
    price = PRICES.get(re.sub(r"-\d{8}$", "", model))
    return (price, True) if price else (DEAREST, False)


def cost_of(
    model: str, input_tokens: int = 0, output_tokens: int = 0, cache_write_tokens: int = 0, cache_read_tokens: int = 0
) -> Cost:
    """What a call cost, US dollars, by the tokens it used; `input_tokens` are those that met no cache.

    >>> cost_of("claude-sonnet-5-5", input_tokens=1000, output_tokens=500, cache_read_tokens=2000)
    Cost(usd=Decimal('0.0072'), known=True)
    """
    price, known = price_of(model)
    usd = (
        input_tokens * price.input
        + output_tokens * price.output
        + cache_write_tokens * price.cache_write
        + cache_read_tokens * price.cache_read
    ) / MILLION
    prompt_tokens = input_tokens + cache_write_tokens + cache_read_tokens
    return Cost(usd * _times(price, prompt_tokens), known)


def most_cost_of(model: str, prompt_tokens: int, output_tokens: int) -> Cost:
    """The most a call can cost, US dollars: the whole prompt is new or written to the cache, whichever is dearer.

    >>> most_cost_of("claude-sonnet-5-5", 1000, 1000)
    Cost(usd=Decimal('0.0125'), known=True)
    """
    price, known = price_of(model)
    usd = (prompt_tokens * max(price.input, price.cache_write) + output_tokens * price.output) / MILLION
    return Cost(usd * _times(price, prompt_tokens), known)


def _times(price: Price, prompt_tokens: int) -> int:
    return price.long_times if price.long_from is not None and prompt_tokens > price.long_from else 1
