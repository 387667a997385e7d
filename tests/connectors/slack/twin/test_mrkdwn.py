"""How text is shown: Slack's markup where it is markup, and never as HTML."""

from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from connectors.slack.twin.mrkdwn import markdown, mrkdwn, plain

NAMES = {"U0ALICE": "Alice Moreau", "C0DEPLOYS": "deployments"}


class Seen(HTMLParser):
    """Which tags and attributes a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags = set[str]()
        self.attributes = set[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


def link(target: str, label: str) -> str:
    return f'<a href="{target}" target="_blank" rel="noopener noreferrer">{label}</a>'


def mention(name: str) -> str:
    return f'<span class="mention">{name}</span>'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold* _slanted_ ~gone~", "<strong>bold</strong> <em>slanted</em> <s>gone</s>"),
        ("*bold _and slanted_*", "<strong>bold <em>and slanted</em></strong>"),
        ("2*3*4 snake_case_name", "2*3*4 snake_case_name"),
        ("`*code* <b>`", "<code>*code* &lt;b&gt;</code>"),
        ("```\na *b*\n  c\n```", "<pre>a *b*\n  c</pre>"),
        ("one\ntwo", "one<br>two"),
        ("&gt; said\nme", "<blockquote>said</blockquote>me"),
        ("<https://example.com|here>", link("https://example.com", "here")),
        (
            "*<https://example.com?a=1&amp;b=2|here>*",
            f"<strong>{link('https://example.com?a=1&amp;b=2', 'here')}</strong>",
        ),
        ("see https://example.com/a_b_c.", f"see {link('https://example.com/a_b_c', 'https://example.com/a_b_c')}."),
        ("<@U0ALICE> in <#C0DEPLOYS>", f"{mention('@Alice Moreau')} in {mention('#deployments')}"),
        ("<!here>", mention("@here")),
        (":white_check_mark: at 10:30:15 :unknown:", "✅ at 10:30:15 :unknown:"),
        ("a &lt;b&gt; &amp;amp; c", "a &lt;b&gt; &amp;amp; c"),
    ],
)
def test_markup_is_shown_as_slack_shows_it(text: str, html: str) -> None:
    assert str(mrkdwn(text, NAMES)) == html


@pytest.mark.parametrize(
    "show", [lambda text: mrkdwn(text, NAMES), plain, markdown], ids=["mrkdwn", "plain", "markdown"]
)
@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "`<script>`",
        "```<script>```",
        "*<script>*",
        "<https://example.com|<script>>",
        "<https://example.com/\"onmouseover='alert(1)|x>",
        "<@U1|<script>>",
        "<!date^1^x|<script>>",
        "\x000\x00<script>\x001\x00",
        "> <script>",
        "![x](javascript:alert(1))",
    ],
)
def test_nothing_becomes_html(show: Callable[[str], object], text: str) -> None:
    seen = Seen()
    seen.feed(str(show(text)))
    assert seen.tags <= {"a", "blockquote", "br", "code", "em", "p", "pre", "span", "strong"}
    assert seen.attributes <= {"href", "target", "rel", "class"}


@pytest.mark.parametrize(
    "text", ["<javascript:alert(1)|x>", "<data:text/html,x|x>", "<JAVASCRIPT:alert(1)>", "<vbscript:x>"]
)
def test_a_link_leads_to_the_web_only(text: str) -> None:
    assert "<a " not in str(mrkdwn(text, NAMES))
    assert "<a " not in str(markdown(f"[x]({text.strip('<>').split('|')[0]})"))


def test_standard_markdown_is_a_table_and_a_safe_link() -> None:
    html = str(markdown("| a | b |\n|---|---|\n| 1 | **2** |\n\n[x](https://example.com)"))
    assert "<td><strong>2</strong></td>" in html
    assert '<a target="_blank" rel="noopener noreferrer" href="https://example.com">x</a>' in html
