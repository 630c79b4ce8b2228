"""Numbers as words: as many digits as the standard error deserves, p values without a false zero."""

from __future__ import annotations

import math

from medtwin.trials.estimate import Estimate


def decimals(error: float, digits: int = 3) -> int:
    """Decimals that show this many digits of the standard error; 0 to 10."""
    if not (math.isfinite(error) and error > 0.0):
        return 3
    return min(max(digits - 1 - math.floor(math.log10(error)), 0), 10)


def fixed(value: float, places: int) -> str:
    """With these decimals and without a minus before zero; what they cannot show: six digits and a power of ten."""
    if not math.isfinite(value):
        return "not finite"
    if abs(value) >= 1e9 or (places >= 10 and 0.0 < abs(value) < 1e-8):
        return f"{value:.6g}"
    text = f"{value:.{places}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def short(value: object) -> str:
    """Any number at up to six digits, anything else as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else "not finite"
    return "none" if value is None else str(value)


def p_words(p: float) -> str:
    """``0.0312``, ``0.00021``, ``<0.0001``."""
    return "<0.0001" if p < 0.0001 else f"{p:.4f}" if p >= 0.001 else f"{p:.5f}"


def p_phrase(p: float) -> str:
    """With its sign: ``p = 0.0312``, ``p < 0.0001``."""
    return f"p {p_words(p).replace('<', '< ') if p < 0.0001 else '= ' + p_words(p)}"


def exact(estimate: Estimate) -> tuple[float, float, float]:
    """(value, low, high) as they are reported; a ratio that no number can hold is infinite."""
    try:
        return estimate.reported
    except OverflowError:
        value, low, high = (math.exp(x) if x < 709.0 else math.inf for x in (estimate.value, *estimate.interval))
        return value, low, high


def reported(estimate: Estimate) -> tuple[str, str, str]:
    """(value, low, high) as the report shows them: of a ``log`` scale the ratio."""
    value, low, high = exact(estimate)
    if estimate.scale == "log" and estimate.standard_error > 0.5:  # one set of decimals would hide one of the limits
        return significant(value), significant(low), significant(high)
    places = decimals(estimate.standard_error * (abs(value) if estimate.scale == "log" else 1.0))
    return fixed(value, places), fixed(low, places), fixed(high, places)


def significant(value: float, digits: int = 3) -> str:
    """With this many digits, as a plain decimal unless it is very large or small."""
    if not math.isfinite(value):
        return "infinite" if value > 0.0 else "not finite"
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits}g}"
    places = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    return f"{float(f'{value:.{digits}g}'):.{places}f}"


def degrees(df: float) -> str:
    """Degrees of freedom; of a normal quantile the word."""
    return "normal" if math.isinf(df) else f"{df:.1f}" if df != round(df) else f"{df:.0f}"


def with_unit(words: str, unit: str) -> str:
    """A number and its unit; of the unit 1 nothing is said."""
    return words if unit in ("", "1") else f"{words} {unit}"


def interval_words(estimate: Estimate) -> str:
    """``0.52 to 4.10``."""
    _, low, high = reported(estimate)
    return f"{low} to {high}"


def sentence(estimate: Estimate) -> str:
    """One sentence with the estimate, its interval and its p value."""
    value, low, high = reported(estimate)
    kind = " (ratio)" if estimate.scale == "log" else ""
    shown = with_unit(value, "" if estimate.scale == "log" else estimate.unit)
    null = math.exp(estimate.null) if estimate.scale == "log" else estimate.null
    against = f" of no effect ({short(null)})" if estimate.null == 0.0 else f" of {short(null)}"
    law = "credible interval (normal)" if bayesian(estimate) else "confidence interval"
    tested = "" if bayesian(estimate) else f", {p_phrase(estimate.p_value)} for the hypothesis{against}"
    return (
        f"{estimate.name}{kind}: {shown}, {100.0 * estimate.confidence:g} % {law} {low} to {high}{tested}. "
        f"Method: {estimate.method}."
    )


def bayesian(estimate: Estimate) -> bool:
    """A posterior mean and its standard deviation: its interval is credible, and it has no p value."""
    return "posterior" in estimate.method
