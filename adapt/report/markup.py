"""Text and tables as HTML. Everything that comes from a file passes through `escape`."""

import html
import math
import re
from collections.abc import Sequence

_MAX_CHARACTERS = 400
# Control characters, which HTML forbids, and marks that turn the direction of what follows.
_FORBIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)


def escape(value: object, *, max_characters: int = _MAX_CHARACTERS) -> str:
    """Turn anything into text that HTML shows as it is, cut to a bound.

    >>> escape("<b>&'")
    '&lt;b&gt;&amp;&#x27;'
    """
    shown = str(value)
    if len(shown) > max_characters:
        shown = shown[: max_characters - 1] + "…"
    encodable = shown.encode("utf-8", "replace").decode("utf-8")
    return html.escape(_FORBIDDEN.sub("\ufffd", encodable), quote=True)


def number(value: float, *, digits: int = 3) -> str:
    """Write a number with so many significant digits, thousands apart.

    >>> number(12345.6), number(0.012345), number(1e-7), number(math.nan), number(-0.5)
    ('12,346', '0.0123', '1.00e-7', 'not finite', '\N{MINUS SIGN}0.500')
    """
    if not math.isfinite(value):
        return "not finite"
    size = abs(value)
    if value == 0:
        return "0"
    if size >= 10.0**7 or size < 1e-4:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        shown = f"{mantissa}e{int(exponent)}"
    else:
        places = max(digits - 1 - math.floor(math.log10(size)), 0)
        shown = f"{value:,.{places}f}"
    return shown.replace("-", "\N{MINUS SIGN}", 1) if value < 0 else shown


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
) -> str:
    """Lay out cells that are HTML already.

    Args:
        header: Titles of the columns.
        rows: Cells.
        right: Columns of numbers, set flush right.
    """

    def line(cells: Sequence[str], *, tag: str) -> str:
        return "".join(
            f"<{tag}{' class=n' if column in right else ''}>{cell}</{tag}>"
            for column, cell in enumerate(cells)
        )

    body = "".join(f"<tr>{line(row, tag='td')}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{line(header, tag="th")}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def section(title: str, body: str, *, anchor: str, lead: str = "") -> str:
    """Wrap HTML as a section of the page."""
    told = f'<p class="lead">{lead}</p>' if lead else ""
    return f'<section id="{anchor}"><h2>{escape(title)}</h2>{told}{body}</section>'


def note(text: str) -> str:
    """Say that something is missing or left out; the text is HTML already."""
    return f'<p class="note">{text}</p>'
