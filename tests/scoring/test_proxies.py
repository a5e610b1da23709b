"""The proxies as functions of what was observed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llmnas_mcp.scoring import PROXIES
from llmnas_mcp.scoring.proxies import jacov, naswot, synflow


def test_every_proxy_is_registered_under_its_name_with_what_it_is_and_its_paper() -> None:
    assert list(PROXIES) == ["params", "macs", "synflow", "naswot", "jacov"]
    for name, proxy in PROXIES.items():
        assert proxy.name == name
        assert proxy.title
        assert "arXiv" in proxy.source


@given(arrays(np.float64, (4, 12), elements=st.floats(-1e6, 1e6)))
def test_jacov_is_finite_for_any_jacobian(jacobian: np.ndarray) -> None:
    assert np.isfinite(jacov(jacobian))


@given(arrays(np.bool_, (4, 9)))
def test_naswot_is_finite_for_any_pattern_and_matches_the_formula(on: np.ndarray) -> None:
    agreement = (on[:, None, :] == on[None, :, :]).sum(2).astype(float)
    assert np.exp(naswot(agreement)) == pytest.approx(np.linalg.det(agreement + np.eye(4)))


def test_jacov_prefers_uncorrelated_gradients_to_alike_ones_to_none() -> None:
    rng = np.random.default_rng(0)
    apart = rng.standard_normal((8, 500))
    alike = apart[:1] + 0.3 * apart
    assert jacov(apart) > jacov(alike) > jacov(np.zeros((8, 500)))


def test_jacov_does_not_depend_on_the_scale_of_the_gradients() -> None:
    rows = np.random.default_rng(0).standard_normal((8, 500))
    assert jacov(1e-3 * rows) == pytest.approx(jacov(rows))


def test_synflow_is_the_logarithm_of_the_flow_and_zero_where_nothing_gets_through() -> None:
    assert [synflow(flow) for flow in (0.0, 1.0, 1e49)] == pytest.approx([0.0, np.log(2), 49 * np.log(10)])
