"""Trials simulated patient by patient and analysed as planned: what planned power is held to. No formula of the package."""

import math

import numpy as np
from scipy import stats
from scipy.special import betainc, ndtr, ndtri, pdtr, stdtrit

BATCH = 2_000_000  #: patients simulated at once


def allowed(power, trials):
    """One point and three Monte Carlo errors."""
    return 0.01 + 3.0 * math.sqrt(max(power * (1.0 - power), 1e-4) / trials)


def batches(trials, n):
    done = 0
    while done < trials:
        size = min(trials - done, max(1, BATCH // n))
        yield size
        done += size


def ancova(rng, n0, n1, effect, r2, q, trials, alpha=0.05):
    """Share of trials in which classical ANCOVA with q normal covariates rejects, two-sided."""
    n, rejected = n0 + n1, 0
    treated = np.repeat([0.0, 1.0], [n0, n1])
    critical = stats.t.ppf(1 - alpha / 2, n - 2 - q)
    for size in batches(trials, n * (q + 2)):
        x = rng.standard_normal((size, n, q))
        y = effect * treated + math.sqrt(r2 / q) * x.sum(2) + math.sqrt(1 - r2) * rng.standard_normal((size, n))
        design = np.concatenate([np.ones((size, n, 1)), np.broadcast_to(treated[:, None], (size, n, 1)), x], axis=2)
        inverse = np.linalg.inv(np.einsum("sni,snj->sij", design, design))
        beta = np.einsum("sij,snj,sn->si", inverse, design, y, optimize=True)
        left = y - np.einsum("sni,si->sn", design, beta)
        se = np.sqrt((left**2).sum(1) / (n - 2 - q) * inverse[:, 1, 1])
        rejected += int((np.abs(beta[:, 1] / se) > critical).sum())
    return rejected / trials


def _adjusted_means(y, x, n0, adjusted):
    """Per arm: adjusted mean, its variance, slope; score centred over both arms."""
    overall = x.mean(1, keepdims=True)
    found = []
    for arm in (slice(0, n0), slice(n0, None)):
        ya, xa = y[:, arm], x[:, arm]
        n = ya.shape[1]
        yc, xc = ya - ya.mean(1, keepdims=True), xa - xa.mean(1, keepdims=True)
        spread = (xc**2).sum(1)
        slope = (xc * yc).sum(1) / spread if adjusted else np.zeros(len(y))
        shift = (overall - xa.mean(1, keepdims=True))[:, 0]
        residual = ((yc - slope[:, None] * xc) ** 2).sum(1) / (n - 1 - adjusted)
        found.append((ya.mean(1) + slope * shift, residual / n + adjusted * residual * shift**2 / spread, slope, n))
    return found


def contrast(rng, draws, n0, n1, rhos, g, slope_of, away_sign, null, trials, alpha=0.05):
    """g-computation with a slope an arm and influence-function variance; rejected in the planned direction."""
    adjusted = int(any(rhos))
    rejected = 0
    for size in batches(trials, n0 + n1):
        ys, xs = [], []
        for draw, n, rho in zip(draws, (n0, n1), rhos, strict=True):
            x = rng.standard_normal((size, n))
            xs.append(x)
            ys.append(draw(rho * x + math.sqrt(1 - rho * rho) * rng.standard_normal((size, n))))
        y, x = np.hstack(ys), np.hstack(xs)
        with np.errstate(all="ignore"):
            (m0, v0, b0, _), (m1, v1, b1, _) = _adjusted_means(y, x, n0, adjusted)
            d0, d1 = slope_of(m0), slope_of(m1)
            v0, v1 = d0**2 * v0, d1**2 * v1
            varied = (d1 * b1 - d0 * b0) ** 2 * x.var(1, ddof=1) / (n0 + n1)
            df = (v0 + v1) ** 2 / (v0**2 / (n0 - 1 - adjusted) + v1**2 / (n1 - 1 - adjusted))
            statistic = away_sign * (g(m1) - g(m0) - null) / np.sqrt(v0 + v1 + varied)
            rejected += int((statistic > stdtrit(df, 1 - alpha / 2)).sum())
    return rejected / trials


G = {
    "risk-difference": (lambda p: p, np.ones_like),
    "risk-ratio": (np.log, lambda p: 1 / p),
    "odds-ratio": (lambda p: np.log(p / (1 - p)), lambda p: 1 / (p * (1 - p))),
}


def binary(rng, n0, n1, risk0, risk1, scale, r, trials):
    """``r``: correlation of score and outcome, by a latent normal variable that keeps the risk."""

    def rho(p):
        return r * math.sqrt(p * (1 - p)) / stats.norm.pdf(ndtri(1 - p))

    draws = [lambda latent, p=p: (latent > ndtri(1 - p)).astype(float) for p in (risk0, risk1)]
    return contrast(
        rng, draws, n0, n1, (rho(risk0), rho(risk1)), *G[scale], math.copysign(1, risk1 - risk0), 0.0, trials
    )


def counts(rng, n0, n1, mean0, ratio, dispersion, r, trials):
    """Poisson or negative binomial counts, by a latent normal variable."""
    draws, rhos = [], []
    for mean in (mean0, mean0 * ratio):
        y = np.arange(2000)
        cdf = betainc(1 / dispersion, y + 1.0, 1 / (1 + dispersion * mean)) if dispersion else pdtr(y, mean)
        steps = ndtri(np.minimum(cdf, 1 - 1e-16))
        sd = math.sqrt(mean + dispersion * mean**2)
        rhos.append(r * sd / stats.norm.pdf(steps).sum())
        draws.append(lambda latent, steps=steps: np.searchsorted(steps, latent).astype(float))
    return contrast(rng, draws, n0, n1, rhos, np.log, lambda m: 1 / m, math.copysign(1, math.log(ratio)), 0.0, trials)


def log_rank(rng, n0, n1, hazard0, ratio, accrual, followup, dropout, rho, trials, alpha=0.05):
    """(power of the log-rank test, adjusted for the score where rho is not 0; mean squared correlation with the martingale)."""
    n, arm = n0 + n1, np.repeat([0.0, 1.0], [n0, n1])
    rejected, squares, seen = 0, 0.0, 0
    for size in batches(trials, n):
        x = rng.standard_normal((size, n))
        latent = rho * x + math.sqrt(1 - rho * rho) * rng.standard_normal((size, n))
        time = -np.log(ndtr(latent)) / (hazard0 * np.where(arm == 1, ratio, 1.0))
        ends = followup + accrual * rng.random((size, n))
        if dropout:
            ends = np.minimum(ends, rng.exponential(1 / dropout, (size, n)))
        order = np.argsort(np.minimum(time, ends), axis=1)
        event = np.take_along_axis((time <= ends).astype(float), order, 1)
        a, x = np.take_along_axis(np.broadcast_to(arm, (size, n)), order, 1), np.take_along_axis(x, order, 1)
        at_risk = n - np.arange(n)[None, :]
        p = np.cumsum(a[:, ::-1], 1)[:, ::-1] / at_risk
        hazard = event / at_risk
        own = event * (a - p) - (a * np.cumsum(hazard, 1) - np.cumsum(p * hazard, 1))
        u, v = own.sum(1), (p * (1 - p) * event).sum(1)
        if rho:
            overall, kept, all_of = x.mean(1, keepdims=True), 0.0, 0.0
            for which, size_of in ((0, n0), (1, n1)):
                inside = a == which
                xc = np.where(inside, x - (x * inside).sum(1, keepdims=True) / size_of, 0.0)
                oc = np.where(inside, own - (own * inside).sum(1, keepdims=True) / size_of, 0.0)
                slope = (xc * oc).sum(1, keepdims=True) / (xc**2).sum(1, keepdims=True)
                u = u - (slope * ((x * inside).sum(1, keepdims=True) - size_of * overall))[:, 0]
                kept, all_of = kept + ((oc - slope * xc) ** 2).sum(1), all_of + (oc**2).sum(1)
            v = v * kept / all_of
            squares, seen = squares + float((1 - kept / all_of).sum()), seen + size
        rejected += int((math.copysign(1, math.log(ratio)) * u / np.sqrt(v) > ndtri(1 - alpha / 2)).sum())
    return rejected / trials, squares / seen if seen else 0.0
