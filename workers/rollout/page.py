"""The report as one page for a browser: the Markdown's own lines, with no script and nothing from elsewhere."""

import re
from collections.abc import Iterator
from html import escape
from typing import Final

from workers.rollout.report import Report
from workers.rollout.told import markdown

_STYLE: Final = """\
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:46rem;padding:0 1rem;color:#1c1c1c;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}ul{margin:.2rem 0;padding-left:1.2rem}
code{font-size:.9em;overflow-wrap:anywhere}strong{display:inline-block}"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_INLINE: Final = re.compile(r"`([^`]*)`|\*\*((?:[^*\\]|\\.)+)\*\*|\\(.)")
"""What our own Markdown has inside a line: code, strong, and a character that is none of either."""


def page(report: Report) -> str:
    """The whole page."""
    body = "\n".join(_blocks(markdown(report)))
    title = escape(f"Roll-out of {report.environment}")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _blocks(text: str) -> Iterator[str]:
    listing = False
    for line in text.splitlines():
        item = line.startswith("- ")
        if item is not listing:
            yield "<ul>" if item else "</ul>"
            listing = item
        if item:
            yield f"<li>{_inline(line[2:])}</li>"
        elif line.startswith("#"):
            level = len(line) - len(line.lstrip("#"))
            yield f"<h{level}>{_inline(line.lstrip('# '))}</h{level}>"
        elif line:
            yield f"<p>{_inline(line)}</p>"
    if listing:
        yield "</ul>"


def _inline(line: str) -> str:
    """Everything is escaped; only what we wrote as code or strong becomes an element."""
    made, at = list[str](), 0
    for found in _INLINE.finditer(line):
        made.append(escape(line[at : found.start()]))
        at = found.end()
        if found[1] is not None:
            made.append(f"<code>{escape(found[1])}</code>")
        elif found[2] is not None:
            made.append(f"<strong>{_inline(found[2])}</strong>")
        else:
            made.append(escape(found[3]))
    return "".join((*made, escape(line[at:])))
