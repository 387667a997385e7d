"""Which blocks the twin takes: those that the SDK's own classes build, in Slack's sizes, and nothing else."""

from typing import Any

import pytest
from slack_sdk.models import blocks as sdk
from slack_sdk.models.views import View as SdkView

from connectors.slack.twin.problems import SlackProblem
from connectors.slack.twin.validation import read_blocks, read_view
from tests.connectors.slack.workspace import Json, approval_blocks, confirmation, modal, words

ENOUGH = 10**6


def refusal(blocks: Any, characters: int = ENOUGH) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(SlackProblem) as caught:
        read_blocks(blocks, characters=characters)
    return caught.value.error, caught.value.messages


def section(**more: Any) -> Json:
    return {"type": "section", "text": words("x")} | more


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def button(**more: Any) -> Json:
    return {"type": "button", "action_id": "a", "text": words("x")} | more


SDK_BLOCKS = [
    sdk.HeaderBlock(text="Approval needed"),
    sdk.SectionBlock(text=sdk.MarkdownTextObject(text="*x*"), accessory=sdk.ButtonElement(text="x", action_id="a")),
    sdk.SectionBlock(fields=[sdk.MarkdownTextObject(text="x")] * 10),
    sdk.DividerBlock(),
    sdk.ContextBlock(elements=[sdk.MarkdownTextObject(text="x"), sdk.PlainTextObject(text="y")]),
    sdk.ContextBlock(elements=[sdk.ImageElement(image_url="https://example.com/x.png", alt_text="x")]),
    sdk.MarkdownBlock(text="# x"),
    sdk.ActionsBlock(
        elements=[
            sdk.ButtonElement(
                text="x",
                action_id="a",
                style="danger",
                value="v" * 2000,
                confirm=sdk.ConfirmObject(title="t", text="x", confirm="Yes", deny="No", style="danger"),
            ),
            sdk.LinkButtonElement(text="x", action_id="b", url="https://example.com"),
        ]
    ),
]


@pytest.mark.parametrize("block", SDK_BLOCKS, ids=lambda block: str(block.type))
def test_what_the_sdk_builds_is_taken(block: sdk.Block) -> None:
    block.validate_json()
    (read,) = read_blocks([block.to_dict()], characters=ENOUGH)
    assert read.type == block.type


def test_a_modal_that_the_sdk_builds_is_taken() -> None:
    reason = sdk.PlainTextInputElement(action_id="text", multiline=True, min_length=3, max_length=100)
    choice = sdk.StaticSelectElement(action_id="choice", options=[sdk.Option(value="1", label="One")])
    view = SdkView(
        type="modal",
        title="Reject",
        submit="Reject",
        close="Cancel",
        callback_id="reject",
        blocks=[
            sdk.InputBlock(block_id="reason", label="Why?", element=reason, hint="A sentence"),
            sdk.InputBlock(block_id="which", label="Which?", element=choice, optional=True),
        ],
    )
    view.validate_json()
    assert [block.block_id for block in read_view(view.to_dict()).inputs()] == ["reason", "which"]


SIZES = [
    (lambda size: {"type": "header", "text": words("x" * size)}, sdk.HeaderBlock.text_max_length, "/0/text/text"),
    (lambda size: section(text=words("x" * size)), 3000, "/0/text/text"),
    (lambda size: section(fields=[words("x" * size)]), sdk.SectionBlock.fields_max_length * 200, "/0/fields/0/text"),
    (lambda size: actions(button(text=words("x" * size))), 75, "/0/elements/0/text/text"),
    (lambda size: actions(button(value="x" * size)), sdk.ButtonElement.value_max_length, "/0/elements/0/value"),
    (lambda size: actions(button(action_id="x" * size)), 255, "/0/elements/0/action_id"),
    (lambda size: section(block_id="x" * size), 255, "/0/block_id"),
    (
        lambda size: actions(button(confirm=confirmation() | {"title": words("x" * size)})),
        sdk.ConfirmObject.title_max_length,
        "/0/elements/0/confirm/title/text",
    ),
    (
        lambda size: actions(button(confirm=confirmation() | {"text": words("x" * size)})),
        sdk.ConfirmObject.text_max_length,
        "/0/elements/0/confirm/text/text",
    ),
    (
        lambda size: actions(button(confirm=confirmation() | {"deny": words("x" * size)})),
        sdk.ConfirmObject.deny_max_length,
        "/0/elements/0/confirm/deny/text",
    ),
    (lambda size: {"type": "markdown", "text": "x" * size}, 12_000, "/0/text"),
]


@pytest.mark.parametrize(("make", "most", "pointer"), SIZES, ids=[pointer for _, _, pointer in SIZES])
def test_a_text_may_be_as_long_as_slack_says_and_no_longer(make: Any, most: int, pointer: str) -> None:
    read_blocks([make(most)], characters=ENOUGH)
    told = f"must be less than {most + 1} characters [json-pointer:/blocks{pointer}]"
    assert refusal([make(most + 1)]) == ("invalid_blocks", (told,))


@pytest.mark.parametrize(
    ("blocks", "told"),
    [
        ([{"type": "divider"}] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
        ([section(fields=[words("x")] * 11)], "no more than 10 items allowed [json-pointer:/blocks/0/fields]"),
        (
            [actions(*(button(action_id=str(one)) for one in range(26)))],
            "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
        ),
        ([actions()], "no fewer than 1 items allowed [json-pointer:/blocks/0/elements]"),
        ([section(text=words(""))], "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
        ([{"type": "section"}], "missing required field: text or fields [json-pointer:/blocks/0]"),
        ([{"type": "header"}], "missing required field: text [json-pointer:/blocks/0]"),
        ([{"type": "carousel"}], "unsupported type: carousel [json-pointer:/blocks/0]"),
        ([{}], "missing required field: type [json-pointer:/blocks/0]"),
        ([section(colour="red")], "invalid additional property: colour [json-pointer:/blocks/0]"),
        (
            [actions(button(), button())],
            "`action_id` must be unique within a block [json-pointer:/blocks/0]",
        ),
        ([section(block_id="b"), section(block_id="b")], "`block_id` 'b' already exists"),
    ],
)
def test_what_slack_does_not_take_is_refused(blocks: list[Json], told: str) -> None:
    assert refusal(blocks) == ("invalid_blocks", (told,))


@pytest.mark.parametrize("url", ["javascript:alert(1)", "ftp://example.com", "example.com"])
def test_a_button_leads_to_the_web_only(url: str) -> None:
    error, (told,) = refusal([actions(button(url=url))])
    assert (error, "[json-pointer:/blocks/0/elements/0/url]" in told) == ("invalid_blocks", True)


def test_all_blocks_together_may_be_only_so_long() -> None:
    blocks = approval_blocks()
    read_blocks(blocks, characters=1000)
    assert refusal(blocks, characters=100) == ("msg_blocks_too_long", ())


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"title": words("x" * 25)}, "must be less than 25 characters [json-pointer:/view/title/text]"),
        ({"submit": None}, "missing required field: submit [json-pointer:/view]"),
        ({"private_metadata": "x" * 3001}, "must be less than 3001 characters [json-pointer:/view/private_metadata]"),
        ({"type": "tab"}, "invalid value: Input should be 'modal' [json-pointer:/view/type]"),
        ({"blocks": [{"type": "divider"}] * 101}, "no more than 100 items allowed [json-pointer:/view/blocks]"),
    ],
)
def test_a_modal_that_slack_does_not_take_is_refused(more: Json, told: str) -> None:
    with pytest.raises(SlackProblem) as caught:
        read_view(modal(**more))
    assert (caught.value.error, caught.value.messages) == ("invalid_arguments", (told,))
