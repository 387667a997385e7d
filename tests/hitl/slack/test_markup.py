"""What leaves for Slack as text of its markup: nothing in it links, mentions or hides but what we wrote."""

import pytest

from hitl.slack.blocks import escaped, link
from hitl.slack.messages import Links


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("a & b", "a &amp; b"),
        ("<!channel>", "&lt;!channel&gt;"),
        ("<https://evil.example|fine>", "&lt;https://evil.example|fine&gt;"),
        ("&lt;!here&gt;", "&amp;lt;!here&amp;gt;"),
        ("abc\u202edef", "abc\\u202edef"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
    ],
)
def test_text_is_text(text: str, expected: str) -> None:
    assert escaped(text) == expected


def test_a_label_cannot_become_the_address() -> None:
    made = link("https://ours.example/x", "a|https://evil.example>|<b")
    assert made == "<https://ours.example/x|a¦https://evil.example&gt;¦&lt;b>"
    assert made.count("|") == 1


@pytest.mark.parametrize("name", ["a/b", "a b", "a|b>", "é?x=1&y#z", "../up"])
def test_names_in_addresses_are_quoted(name: str) -> None:
    links = Links(
        temporal="http://temporal.example/",
        namespace=name,
        console="https://console.example/",
        traces="https://traces.example/?of={workflow_id}",
    )
    [traces] = links.of_traces(name)
    assert traces.endswith("|Its traces>")
    for address in (links.workflow(name, name), links.approval(name, name), traces[1:].partition("|")[0]):
        assert not set(address.partition("://")[2]) & set(" |<>é#")
    assert links.workflow(name, "r").count("/") == "http://t/namespaces/n/workflows/w/r/history".count("/")
    assert links.approval(name, "r").startswith("https://console.example/approval?id=")


def test_without_a_console_the_whole_plan_is_in_temporal() -> None:
    links = Links(temporal="http://temporal.example", namespace="default")
    assert links.approval("approval/1", "r") == links.workflow("approval/1", "r")
    assert links.of_traces("goal/1") == []
