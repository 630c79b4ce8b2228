"""One scenario as a picture: each analysis's rejected share with three Monte Carlo errors; a static SVG without script."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from medtwin.trials.simulate.tally import Characteristics


def rejections(results: Sequence[Characteristics], alpha: float, title: str, width: int = 720) -> str:
    """Dots with bars, the level as a dotted line."""
    top, left, row = 44.0, 300.0, 26.0
    high = min(1.0, max([alpha, *(one.rejection.value + 3.0 * one.rejection.error for one in results)]) * 1.15 + 0.005)
    height = top + row * len(results) + 40.0

    def at(share: float) -> float:
        return left + min(max(share, 0.0), high) / high * (width - left - 90.0)

    said = "; ".join(f"{one.analysis}: {one.rejection.value:.2%} (error {one.rejection.error:.2%})" for one in results)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:g}" width="{width}" height="{height:g}" '
        'role="img" font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(said)}</desc>",
        f'<rect width="{width}" height="{height:g}" fill="#ffffff"/>',
        f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
        f'<line x1="{at(alpha):.1f}" x2="{at(alpha):.1f}" y1="{top - 8:g}" y2="{height - 34:g}" stroke="#000000" '
        'stroke-dasharray="1 3"/>',
        f'<text x="{at(alpha):.1f}" y="{height - 18:g}" text-anchor="middle">level {alpha:g}</text>',
    ]
    for number, one in enumerate(results):
        y, share, reach = top + row * (number + 0.5), one.rejection.value, 3.0 * one.rejection.error
        out.append(f'<text x="{left - 10:g}" y="{y + 4:.1f}" text-anchor="end">{escape(one.analysis)}</text>')
        out.append(f'<line x1="{at(share - reach):.1f}" x2="{at(share + reach):.1f}" y1="{y:.1f}" y2="{y:.1f}" '
                   'stroke="#0b5394" stroke-width="2"/>')  # fmt: skip
        out.append(f'<circle cx="{at(share):.1f}" cy="{y:.1f}" r="4" fill="#0b5394"/>')
        out.append(f'<text x="{width - 80:g}" y="{y + 4:.1f}">{share:.2%}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"
