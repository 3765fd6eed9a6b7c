"""How far apart the domains lie in feature space, layer by layer: the proxy A-distance, and `health.json` that keeps it."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from scenelift.adapt.domain_probe import separability

FORMAT_VERSION = 1
_STRENGTH = 0.01  # of the probe: features are many and samples few


@dataclass(frozen=True, kw_only=True, slots=True)
class ADistance:
    """The proxy A-distance between two domains: 2 (1 - 2 e), e the error of a probe that tells them apart."""

    value: float
    """From 0, the same to a linear probe, to 2, wholly apart; NaN if there were too few samples."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""
    num_each: int
    """Samples of each domain."""


def a_distance(
    features_synthetic: Float[np.ndarray, "n c"],
    features_real: Float[np.ndarray, "m c"],
    *,
    seed: int,
) -> ADistance:
    """Measure how far apart two domains lie, by a linear probe fitted anew and judged on samples it has not seen.

    Ben-David et al., NIPS 2006; as Ganin et al. (JMLR 2016, section 5.2.5) use it. The discriminator of the training tells less:
    it may be weak, late or beaten.

    Args:
        features_synthetic: One row a sample, as of `pool_features`, of images that training did not see.
        features_real: The same of photos.
        seed: What samples and folds are drawn from.

    >>> a_distance(np.zeros((50, 2)), np.ones((50, 2)), seed=0).value
    2.0
    >>> a_distance(np.zeros((50, 2)), np.zeros((50, 2)), seed=0).value
    0.0
    """
    measured = separability(features_synthetic, features_real, seed=seed, strength=_STRENGTH)
    if measured.num_each == 0:
        return ADistance(value=math.nan, low=0.0, high=2.0, num_each=0)
    value, low, high = (
        min(max(2 * (2 * accuracy - 1), 0.0), 2.0)
        for accuracy in (measured.accuracy, measured.low, measured.high)
    )
    return ADistance(value=value, low=low, high=high, num_each=measured.num_each)


def pool_features(features: Float[Tensor, "n c h w"]) -> Float[np.ndarray, "n c"]:
    """Average features over the picture: a row a sample, on the CPU."""
    return np.asarray(features.detach().double().mean(dim=(2, 3)).cpu().numpy())


def a_distances(
    synthetic: Mapping[str, Float[np.ndarray, "n _c"]],
    real: Mapping[str, Float[np.ndarray, "m _c"]],
    *,
    seed: int,
) -> dict[str, ADistance]:
    """Measure the A-distance layer by layer.

    Args:
        synthetic: Pooled features by layer, in order of depth.
        real: The same layers of photos.
        seed: As in `a_distance`.

    Raises:
        ValueError: if the two do not hold the same layers.
    """
    if synthetic.keys() != real.keys():
        raise ValueError(f"layers differ: {sorted(synthetic)} of synthetic, {sorted(real)} of real")
    return {layer: a_distance(synthetic[layer], real[layer], seed=seed) for layer in synthetic}


def write_health(
    path: Path,
    *,
    before: Mapping[str, ADistance],
    after: Mapping[str, ADistance] | None = None,
    aligned_layers: tuple[str, ...] = (),
) -> None:
    """Write the distances before and after training as `health.json`, in one rename.

    Args:
        path: The file.
        before: By layer, in order of depth, of the untrained backbone.
        after: The same of the trained one; None while training runs.
        aligned_layers: Where alignment works.

    Raises:
        OSError: if the file cannot be written.
    """
    trained = {} if after is None else after
    layers = [
        {
            "layer": layer,
            "aligned": layer in aligned_layers,
            "before": _plain(before.get(layer)),
            "after": _plain(trained.get(layer)),
        }
        for layer in {**before, **trained}
    ]
    content = json.dumps({"format_version": FORMAT_VERSION, "layers": layers}, indent=1)
    part = path.with_name(path.name + ".part")
    part.write_text(content, encoding="utf-8")
    part.replace(path)


def _plain(distance: ADistance | None) -> dict[str, float | None] | None:
    if distance is None:
        return None
    return {
        name: number if math.isfinite(number) else None for name, number in asdict(distance).items()
    }
