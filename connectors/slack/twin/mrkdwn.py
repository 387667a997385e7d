"""Turns Slack's markup, and standard Markdown, into HTML in which nothing is trusted."""

import re
from collections.abc import Mapping
from typing import Final

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

EMOJI: Final = {
    "+1": "👍",
    "bell": "🔔",
    "building_construction": "🏗️",
    "chart_with_upwards_trend": "📈",
    "eyes": "👀",
    "fire": "🔥",
    "heavy_check_mark": "✔️",
    "hourglass": "⌛",
    "hourglass_flowing_sand": "⏳",
    "information_source": "ℹ️",
    "key": "🔑",
    "large_blue_circle": "🔵",
    "large_green_circle": "🟢",
    "large_yellow_circle": "🟡",
    "link": "🔗",
    "lock": "🔒",
    "memo": "📝",
    "no_entry": "⛔",
    "octagonal_sign": "🛑",
    "red_circle": "🔴",
    "rocket": "🚀",
    "rotating_light": "🚨",
    "tada": "🎉",
    "thumbsup": "👍",
    "warning": "⚠️",
    "wastebasket": "🗑️",
    "white_check_mark": "✅",
    "x": "❌",
}
_PRE: Final = re.compile(r"```\n?(.*?)\n?```", re.DOTALL)
_TOKEN: Final = re.compile(
    r"`(?P<code>[^`\n]+)`|<(?P<special>[^<>\n]+)>|(?P<url>https?://[^\s<>|`]*[^\s<>|`.,;:!?)\]}'\"*_~])|:(?P<emoji>[a-z0-9_+-]+):"
)
_PLACE: Final = re.compile("\x00(\\d+)\x00")
_EMPHASIS: Final = tuple(
    (re.compile(rf"(?<![\w{mark}]){sign}(?=\S)([^\n{mark}]+?)(?<=\S){sign}(?![\w{mark}])"), tag)
    for sign, mark, tag in ((r"\*", "*", "strong"), ("_", "_", "em"), ("~", "~", "s"))
)
_LINK: Final = re.compile(r"(?:https?://|mailto:)\S+", re.IGNORECASE)
_MARKDOWN: Final = MarkdownIt("js-default").disable("image")


def mrkdwn(text: str, names: Mapping[str, str]) -> Markup:
    """Slack's markup as HTML; `names` are those of people and channels by id."""
    parts = _PRE.split(text.replace("\x00", ""))
    rendered = [
        Markup("<pre>{}</pre>").format(_plain(part)) if number % 2 else _lines(part, names)
        for number, part in enumerate(parts)
    ]
    return Markup("").join(rendered)


def plain(text: str) -> Markup:
    """Text without markup, but with its emoji."""
    return _breaks(Markup(re.sub(r":([a-z0-9_+-]+):", lambda one: _emoji(one[1]), str(escape(text)))))  # noqa: S704


def markdown(text: str) -> Markup:
    """Standard Markdown as HTML; HTML in it is shown as text."""
    html = str(_MARKDOWN.render(text))
    # Text is escaped, so that this begins nothing but the renderer's own links.
    return Markup(html.replace("<a href=", '<a target="_blank" rel="noopener noreferrer" href='))  # noqa: S704


def _lines(text: str, names: Mapping[str, str]) -> Markup:
    """Quotes are whole lines."""
    shown: list[Markup] = []
    for quoted, lines in _runs(text.split("\n")):
        inline = _inline("\n".join(lines), names)
        shown.append(Markup("<blockquote>{}</blockquote>").format(inline) if quoted else inline)
    return Markup("").join(shown)


def _runs(lines: list[str]) -> list[tuple[bool, list[str]]]:
    runs: list[tuple[bool, list[str]]] = []
    for line in lines:
        bare = re.sub(r"^(?:&gt;|>) ?", "", line)
        quoted = bare != line
        if not runs or runs[-1][0] != quoted:
            runs.append((quoted, []))
        runs[-1][1].append(bare)
    return runs


def _inline(text: str, names: Mapping[str, str]) -> Markup:
    """What is found first is put aside, the rest escaped and emphasised, then all is put together."""
    aside: list[Markup] = []

    def put_aside(found: re.Match[str]) -> str:
        aside.append(_token(found, names))
        return f"\x00{len(aside) - 1}\x00"

    rest = str(_plain(_TOKEN.sub(put_aside, text)))
    for pattern, tag in _EMPHASIS:
        rest = pattern.sub(rf"<{tag}>\1</{tag}>", rest)
    return _breaks(Markup(_PLACE.sub(lambda one: str(aside[int(one[1])]), rest)))  # noqa: S704 - escaped above


def _token(found: re.Match[str], names: Mapping[str, str]) -> Markup:
    if found["code"] is not None:
        return Markup("<code>{}</code>").format(_plain(found["code"]))
    if found["url"] is not None:
        return _link(found["url"], found["url"])
    if found["emoji"] is not None:
        return Markup("{}").format(_emoji(found["emoji"]))
    return _special(found["special"], names)


def _special(inside: str, names: Mapping[str, str]) -> Markup:
    """What stands between angle brackets."""
    target, _, label = inside.partition("|")
    if target.startswith("@"):
        return _mention("@" + (names.get(target[1:]) or label or target[1:]))
    if target.startswith("#"):
        return _mention("#" + (names.get(target[1:]) or label or target[1:]))
    if target.startswith("!date"):
        return Markup("{}").format(_plain(label or target))
    if target.startswith("!"):
        return _mention("@" + (label.removeprefix("@") or target[1:]))
    if _LINK.fullmatch(target):
        return _link(target, label or target.removeprefix("mailto:"))
    return Markup("{}").format(_plain(f"<{inside}>"))


def _mention(name: str) -> Markup:
    return Markup('<span class="mention">{}</span>').format(_plain(name))


def _link(target: str, label: str) -> Markup:
    anchor = Markup('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>')
    return anchor.format(_unescaped(target), _plain(label))


def _emoji(name: str) -> str:
    return EMOJI.get(name, f":{name}:")


def _unescaped(text: str) -> str:
    """Slack's three entities as the characters they stand for."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _plain(text: str) -> Markup:
    return escape(_unescaped(text))


def _breaks(html: Markup) -> Markup:
    return Markup(str(html).replace("\n", "<br>"))  # noqa: S704 - only what was safe, with breaks
