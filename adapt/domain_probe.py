"""A linear probe between two domains: how well can a straight cut tell them apart?"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64

_FOLDS = 5
_OVERLAP = 1 + _FOLDS / (_FOLDS - 1)  # of the variance: 1/k + test/training over 1/k
_Z95 = 1.959964
_HUGE = 1e100  # beyond, squares overflow; as good as not finite


@dataclass(frozen=True, kw_only=True, slots=True)
class Separability:
    """How well a linear probe tells the domains apart on samples that it was not fitted on."""

    accuracy: float
    """Share told right; 0.5 is chance, as both domains count alike."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""
    num_each: int
    """Samples of each domain; 0 if there were too few to measure anything."""


UNMEASURED = Separability(accuracy=math.nan, low=0.0, high=1.0, num_each=0)
"""What is known where nothing could be measured."""


def separability(
    synthetic: Float[np.ndarray, "n c"],
    real: Float[np.ndarray, "m c"],
    *,
    seed: int,
    strength: float = 1.0,
) -> Separability:
    """Tell two domains apart by logistic regression on standardised features, 5-fold cross-validated.

    Both domains are cut to equal numbers, so that chance is one half. The interval is Wilson's over all held-out samples, 1.5
    times as wide, since the folds' training sets overlap (Nadeau and Bengio 2003): without it, only 87 of 100 intervals hold the
    chance of equal domains, with it 97. It takes samples for independent, which views of one room are not quite.

    Args:
        synthetic: Features, a row a sample; ones that are not finite count as 0 after standardising.
        real: The same of the other domain.
        seed: What the choice of samples and the folds are drawn from.
        strength: Inverse strength of the ridge (scikit-learn's C); small where there are more features than samples.

    Returns:
        The accuracy and its interval; `UNMEASURED` if a domain has fewer than ten samples.

    >>> left, right = np.zeros((20, 1)), np.ones((30, 1))
    >>> separability(left, right, seed=0).accuracy
    1.0
    """
    num_each = min(len(synthetic), len(real))
    if num_each < 2 * _FOLDS or synthetic.shape[1] == 0:
        return UNMEASURED
    rng = np.random.default_rng([seed, num_each])
    rows = [
        np.asarray(domain, np.float64)[rng.permutation(len(domain))[:num_each]]
        for domain in (synthetic, real)
    ]
    features = np.stack(rows, axis=1).reshape(2 * num_each, -1)  # pairs, so that folds are balanced
    labels = np.tile(np.array([0, 1], np.int64), num_each)
    folds = np.repeat(np.arange(num_each) % _FOLDS, 2)
    right = 0
    for fold in range(_FOLDS):
        held_out = folds == fold
        fitted, judged = _standardise(features[~held_out], features[held_out])
        right += _num_right(fitted, labels[~held_out], judged, labels[held_out], strength=strength)
    low, high = wilson_interval(right / _OVERLAP, total=2 * num_each / _OVERLAP)
    return Separability(accuracy=right / (2 * num_each), low=low, high=high, num_each=num_each)


def wilson_interval(successes: float, *, total: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share (Wilson 1927).

    >>> [round(end, 3) for end in wilson_interval(50, total=100)]
    [0.404, 0.596]
    >>> wilson_interval(0, total=0)
    (0.0, 1.0)
    """
    if total == 0:
        return 0.0, 1.0
    share, squared = successes / total, _Z95**2 / total
    centre = (share + squared / 2) / (1 + squared)
    half = math.sqrt(share * (1 - share) * squared + squared**2 / 4) / (1 + squared)
    low = 0.0 if successes <= 0 else centre - half
    return low, 1.0 if successes >= total else centre + half


def _standardise(
    fitted: Float64[np.ndarray, "n c"], judged: Float64[np.ndarray, "m c"]
) -> tuple[Float64[np.ndarray, "n c"], Float64[np.ndarray, "m c"]]:
    """Bring both to mean 0 and deviation 1 of the first; a constant becomes 0, and outliers are cut at 10."""
    usable, judgeable = (np.abs(a) < _HUGE for a in (fitted, judged))  # False for NaN too
    count = usable.sum(axis=0).clip(min=1)
    mean = np.where(usable, fitted, 0).sum(axis=0) / count
    centred = np.where(usable, fitted, mean) - mean
    deviation = np.sqrt((centred**2).sum(axis=0) / count)
    scale = np.where(deviation > 1e-12 * (1 + np.abs(mean)), deviation, np.inf)
    other = np.where(judgeable, judged, mean) - mean
    return (centred / scale).clip(-10, 10), (other / scale).clip(-10, 10)


def _num_right(
    fitted: Float64[np.ndarray, "n c"],
    fitted_labels: Int64[np.ndarray, " n"],
    judged: Float64[np.ndarray, "m c"],
    judged_labels: Int64[np.ndarray, " m"],
    *,
    strength: float,
) -> int:
    from sklearn.linear_model import LogisticRegression  # a second to import

    if not fitted.any():
        return len(judged) // 2  # nothing to go by
    probe = LogisticRegression(C=strength, max_iter=2000).fit(fitted, fitted_labels)
    return int((probe.predict(judged) == judged_labels).sum())
