"""Block Kit, as far as Banksman uses it, with Slack's sizes.

What is not here is refused by name as Slack refuses what it does not know: the twin covers less than Slack, and never
accepts what Slack would not. Sizes: docs.slack.dev, Block Kit reference.
"""

import secrets
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

_MAX_URL: Final = 3000

Id = Annotated[str, Field(max_length=255)]
Style = Literal["primary", "danger"]


def _new_id() -> str:
    return secrets.token_urlsafe(4)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Sized(_Part):
    most: ClassVar[int] = 3000

    text: str = Field(min_length=1)

    @field_validator("text")
    @classmethod
    def _fits(cls, text: str) -> str:
        if len(text) > cls.most:
            raise PydanticCustomError("slack", "must be less than {limit} characters", {"limit": cls.most + 1})
        return text


class Plain(_Sized):
    """Text without formatting."""

    type: Literal["plain_text"]
    emoji: bool = True


class Mrkdwn(_Sized):
    """Text in Slack's own markup."""

    type: Literal["mrkdwn"]
    verbatim: bool = False


class PlainField(Plain):
    """One of a section's fields."""

    most: ClassVar[int] = 2000


class MrkdwnField(Mrkdwn):
    """One of a section's fields."""

    most: ClassVar[int] = 2000


class _HeaderText(Plain):
    most: ClassVar[int] = 150


class _ButtonText(Plain):
    most: ClassVar[int] = 75


class _ModalWords(Plain):
    most: ClassVar[int] = 24


class _ConfirmTitle(Plain):
    most: ClassVar[int] = 100


class _ConfirmPlain(Plain):
    most: ClassVar[int] = 300


class _ConfirmMrkdwn(Mrkdwn):
    most: ClassVar[int] = 300


class _ConfirmButton(Plain):
    most: ClassVar[int] = 30


class _Label(Plain):
    most: ClassVar[int] = 2000


class _Placeholder(Plain):
    most: ClassVar[int] = 150


Text = Annotated[Plain | Mrkdwn, Field(discriminator="type")]
FieldText = Annotated[PlainField | MrkdwnField, Field(discriminator="type")]


class Confirm(_Part):
    """What is asked before a click counts."""

    title: _ConfirmTitle
    text: Annotated[_ConfirmPlain | _ConfirmMrkdwn, Field(discriminator="type")]
    confirm: _ConfirmButton
    deny: _ConfirmButton
    style: Style | None = None


class Button(_Part):
    """A button."""

    type: Literal["button"]
    text: _ButtonText
    action_id: Id = Field(default_factory=_new_id)
    value: str | None = Field(default=None, max_length=2000)
    url: str | None = Field(default=None, max_length=_MAX_URL, pattern=r"^https?://")
    style: Style | None = None
    confirm: Confirm | None = None
    accessibility_label: str | None = Field(default=None, max_length=75)


class Image(_Part):
    """A picture; the page shows its alternative text with a link, as it loads nothing from elsewhere."""

    type: Literal["image"]
    image_url: str = Field(max_length=_MAX_URL, pattern=r"^https?://")
    alt_text: str = Field(max_length=2000)


class Option(_Part):
    """One choice."""

    text: _ButtonText
    value: str = Field(max_length=150)


class Select(_Part):
    """A choice of one, in a modal."""

    type: Literal["static_select"]
    action_id: Id = Field(default_factory=_new_id)
    options: list[Option] = Field(min_length=1, max_length=100)
    initial_option: Option | None = None
    placeholder: _Placeholder | None = None


class TextInput(_Part):
    """A line or several of text, in a modal."""

    type: Literal["plain_text_input"]
    action_id: Id = Field(default_factory=_new_id)
    multiline: bool = False
    initial_value: str | None = Field(default=None, max_length=3000)
    min_length: int | None = Field(default=None, ge=0, le=3000)
    max_length: int | None = Field(default=None, ge=1, le=3000)
    placeholder: _Placeholder | None = None
    focus_on_load: bool = False


class _Block(_Part):
    block_id: Id = Field(default_factory=_new_id)


class Header(_Block):
    """A line in large letters."""

    type: Literal["header"]
    text: _HeaderText


class Section(_Block):
    """Text, fields in two columns, or both."""

    type: Literal["section"]
    text: Text | None = None
    fields: list[FieldText] | None = Field(default=None, min_length=1, max_length=10)
    accessory: Annotated[Button | Image, Field(discriminator="type")] | None = None
    expand: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.text is None and self.fields is None:
            raise PydanticCustomError("slack", "missing required field: text or fields")
        return self


class Divider(_Block):
    """A line across."""

    type: Literal["divider"]


class Context(_Block):
    """Small print."""

    type: Literal["context"]
    elements: list[Annotated[Plain | Mrkdwn | Image, Field(discriminator="type")]] = Field(min_length=1, max_length=10)


class Actions(_Block):
    """Buttons."""

    type: Literal["actions"]
    elements: list[Button] = Field(min_length=1, max_length=25)

    @model_validator(mode="after")
    def _ids_differ(self) -> Self:
        ids = [element.action_id for element in self.elements]
        if len(set(ids)) < len(ids):
            raise PydanticCustomError("slack", "`action_id` must be unique within a block")
        return self


class Markdown(_Block):
    """Standard Markdown."""

    type: Literal["markdown"]
    text: str = Field(min_length=1, max_length=12_000)


class Input(_Block):
    """A labelled field of a modal."""

    type: Literal["input"]
    label: _Label
    element: Annotated[TextInput | Select, Field(discriminator="type")]
    hint: _Label | None = None
    optional: bool = False
    dispatch_action: Literal[False] = False


MessageBlock = Annotated[Header | Section | Divider | Context | Actions | Markdown, Field(discriminator="type")]
ViewBlock = Annotated[Header | Section | Divider | Context | Input, Field(discriminator="type")]


class View(_Part):
    """A modal as an app describes it."""

    type: Literal["modal"]
    title: _ModalWords
    submit: _ModalWords | None = None
    close: _ModalWords | None = None
    blocks: list[ViewBlock] = Field(max_length=100)
    private_metadata: str = Field(default="", max_length=3000)
    callback_id: Id = ""
    external_id: Id = ""
    clear_on_close: bool = False
    notify_on_close: bool = False
    submit_disabled: Literal[False] = False

    @model_validator(mode="after")
    def _can_be_submitted(self) -> Self:
        if self.submit is None and self.inputs():
            raise PydanticCustomError("slack", "missing required field: submit")
        return self

    def inputs(self) -> list[Input]:
        """Its fields."""
        return [block for block in self.blocks if isinstance(block, Input)]
