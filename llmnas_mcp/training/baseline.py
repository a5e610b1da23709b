"""What a plain model makes of the same images: to tell whether a network was worth it."""

from __future__ import annotations

import warnings

from llmnas_mcp.images import Images

MOST = 5_000_000  # images x pixels x classes: more takes minutes


def logistic_regression(images: Images) -> float | None:
    """Test accuracy in % of logistic regression on pixels, trained on all training images; None where that is slow."""
    if images.train_x.size * len(images.classes) > MOST:
        return None
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    train, test = (x.reshape(len(x), -1) / 255 for x in (images.train_x, images.test_x))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(max_iter=1000).fit(train, images.train_y)
    return 100 * float(model.score(test, images.test_y))
