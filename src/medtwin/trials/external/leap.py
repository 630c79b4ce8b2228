"""Latent exchangeability prior (LEAP) of a response rate: each historical patient may or may not be like the current ones.

A historical patient is exchangeable with the current ones with probability gamma ~ Beta(c, d), and otherwise has the rate
of another class, Beta(a', b') (Alt, Chang, Jiang, Liu, Mo, Xia & Ibrahim 2024, Biometrics 80:ujae083). With s of the r0
responders and t of the f0 non-responders exchangeable, the prior is the mixture of Beta(a + s, b + t) with weights

    C(r0, s) C(f0, t) B(c + s + t, d + n0 - s - t) B(a + s, b + t) B(a' + r0 - s, b' + f0 - t)

normalised: the exact sum over all allocations, where the literature samples them.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from medtwin.errors import AnalysisError
from medtwin.trials.external.rates import BetaMixture, LogitGrid, counts_of, likelihood_grid, mass_of

_LARGEST = 60_000  #: components of the sum


def leap_prior(
    responders: int, patients: int, *, initial: tuple[float, float] = (1.0, 1.0), other: tuple[float, float] = (1.0, 1.0),
    exchangeable: tuple[float, float] = (1.0, 1.0),
) -> LogitGrid:  # fmt: skip
    """The mixture put on a grid once, so that what follows is fast: about 1 s for each 10,000 components."""
    mixture = leap_mixture(responders, patients, initial=initial, other=other, exchangeable=exchangeable)
    grid = likelihood_grid()[::2]
    return LogitGrid.of(grid, mass_of(mixture, grid))


def leap_mixture(
    responders: int, patients: int, *, initial: tuple[float, float] = (1.0, 1.0), other: tuple[float, float] = (1.0, 1.0),
    exchangeable: tuple[float, float] = (1.0, 1.0),
) -> BetaMixture:  # fmt: skip
    """Exact, from whole counts; components of less than 1e-12 in all are left out. Updating it is exact too."""
    counts_of(responders, patients, "LEAP")
    hits, misses = int(responders), int(patients) - int(responders)
    if hits != responders or patients != int(patients) or (hits + 1) * (misses + 1) > _LARGEST:
        raise AnalysisError(
            f"{responders:g} of {patients:g}", expected=f"whole counts, at most {_LARGEST} pairs", where="LEAP",
            remedy="use the normalised power prior for a larger history",
        )  # fmt: skip
    first, second, share = BetaMixture.of(*initial), BetaMixture.of(*other), BetaMixture.of(*exchangeable)
    s, t = np.arange(hits + 1.0)[:, None], np.arange(misses + 1.0)[None, :]
    log = (
        _log_choose(hits, s) + _log_choose(misses, t) + special.betaln(share.a + s + t, share.b + patients - s - t)
        + special.betaln(first.a + s, first.b + t) + special.betaln(second.a + hits - s, second.b + misses - t)
    )  # fmt: skip
    weight = np.exp(log - log.max())
    seen = weight > 1e-12 / weight.size
    a, b = np.broadcast_to(first.a + s, log.shape)[seen], np.broadcast_to(first.b + t, log.shape)[seen]
    return BetaMixture(weight[seen] / weight[seen].sum(), a, b)


def _log_choose(size: int, chosen: np.ndarray) -> np.ndarray:
    return special.gammaln(size + 1.0) - special.gammaln(chosen + 1.0) - special.gammaln(size - chosen + 1.0)
