"""What `bench.storm` prints, and what it keeps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from rich.console import Console

from bench.ratios import Hold, percentile
from bench.report import Measured, where

SLACKS_OWN: Final = 1.0
"""Messages a second in one channel, lines in threads among them."""
POST: Final = "chat.postMessage"

TIME: Final = Hold(sense="at most", limit=1.1)
SHARE: Final = Hold(sense="at most", limit=0.1)
CLICK: Final = Hold(sense="at most", limit=1.0)


class Processor(BaseModel):
    """What the gateway's process used of one processor.

    Attributes:
        idle: The share of it before anybody asked.
        posting: The share of it from the first goal to the last message, clicks included.
        per_post: Seconds of it for each message, without what it uses anyway.
    """

    idle: float
    posting: float
    per_post: float

    @classmethod
    def of(cls, *, idle: float, used: float, seconds: float, posts: int) -> "Processor":
        """From what was measured: the share before, then seconds of processor, seconds of time, and messages."""
        return cls(idle=idle, posting=used / seconds, per_post=(used - idle * seconds) / posts)

    def share_at(self, per_second: float) -> float:
        """The share of it at another rate: what a message costs does not change with it."""
        return self.idle + self.per_post * per_second


class Clicked(BaseModel):
    """One click, in seconds.

    Attributes:
        counted: From the click until its decision is in the approval's history.
        asked: From the click until the goal asks for its next step.
    """

    counted: float
    asked: float


class Answers(BaseModel):
    """What one method was answered.

    Attributes:
        asked: How often, in all.
        refused: How often of these for the rate.
    """

    asked: int
    refused: int

    @property
    def passed(self) -> int:
        """How often it was not refused for the rate."""
        return self.asked - self.refused


class Storm(Measured):
    """One run.

    Attributes:
        approvals: How many were asked for at once.
        per_second: Messages that the twin takes.
        asked_after: Seconds from the first goal until the first approval was asked for.
        asked_within: Seconds from then until the last one was.
        shown_within: Seconds from then until the last one's message, by Slack's own clock.
        not_once: Approvals that have more than one message.
        others: Shares of one processor that other processes used meanwhile.
        methods: What was asked of Slack until then.
        clicks: Those that counted.
        not_counted: How many did not.
    """

    approvals: int
    per_second: float
    asked_after: float
    asked_within: float
    shown_within: float
    not_once: int
    gateway: Processor
    others: Mapping[str, float]
    methods: Mapping[str, Answers]
    clicks: Sequence[Clicked]
    not_counted: int

    @property
    def lines(self) -> int:
        """What else was posted, below the messages: the limit counts that too."""
        return self.methods[POST].passed - self.approvals

    @property
    def needed(self) -> float:
        """Seconds that the limit alone needs for all that was posted."""
        return (self.approvals + self.lines) / self.per_second

    @property
    def ratio(self) -> float:
        """Of the time that it took over the time that the limit needs."""
        return self.shown_within / self.needed

    @property
    def refused(self) -> float:
        """Share of all requests."""
        asked = sum(one.asked for one in self.methods.values())
        return sum(one.refused for one in self.methods.values()) / asked

    @property
    def counted(self) -> tuple[float, float]:
        """From a click to its counted decision: the 50th and the 95th percentile."""
        values = [one.counted for one in self.clicks]
        return percentile(values, 0.5), percentile(values, 0.95)

    @property
    def asked(self) -> tuple[float, float]:
        """From a click to the goal's next step, the same."""
        values = [one.asked for one in self.clicks]
        return percentile(values, 0.5), percentile(values, 0.95)

    def held(self) -> bool:
        """Whether everything that is asked for is so."""
        share = self.gateway.share_at(SLACKS_OWN)
        met = TIME.met(self.ratio), SHARE.met(share), CLICK.met(self.counted[1])
        return self.not_once == self.not_counted == 0 and all(met)


def show_storm(report: Storm, path: Path) -> None:
    """Print it."""
    used, share = report.gateway, report.gateway.share_at(SLACKS_OWN)
    counted, asked = ("p50 {:.0f} ms, p95 {:.0f} ms".format(*_ms(one)) for one in (report.counted, report.asked))
    once = "each has one message" if report.not_once == 0 else f"{report.not_once} have more than one"
    shown = (
        f"{report.shown_within:.1f} s against {report.needed:.1f} s that Slack's limit needs for them and "
        f"{report.lines} lines in threads: {report.ratio:.2f} (hold {TIME}) {_verdict(TIME, report.ratio)}; "
        f"all were asked for within {report.asked_within:.1f} s, the first after {report.asked_after:.1f} s"
    )
    processor = (
        f"{used.posting:.1%} of one while posting, {used.idle:.1%} idle; {used.per_post * 1000:.1f} ms for each "
        f"message, so {share:.1%} at Slack's own {SLACKS_OWN:g} a second (hold {SHARE}) {_verdict(SHARE, share)}"
    )
    told = (
        f"{report.approvals} approvals at once, Slack takes {report.per_second:g} messages a second; {once}",
        f"  until all are shown   {shown}",
        f"  requests to Slack     {_methods(report.methods)}; refused for the rate {report.refused:.1%}",
        f"  gateway's processor   {processor}",
        f"  others' meanwhile     {', '.join(f'{name} {one:.0%} of one' for name, one in report.others.items())}",
        f"  click to decision     {counted} (hold: p95 {CLICK} s) {_verdict(CLICK, report.counted[1])}",
        f"  click to next step    {asked}",
        f"  {len(report.clicks)} clicks in between counted, {report.not_counted} did not",
        where(report, path),
    )
    console = Console(width=None, highlight=False)
    for line in told:
        console.print(line, soft_wrap=True, markup=False)


def _methods(methods: Mapping[str, Answers]) -> str:
    return ", ".join(
        f"{name} {one.asked}" + (f" ({one.refused} refused)" if one.refused else "")
        for name, one in sorted(methods.items(), key=lambda item: -item[1].asked)
    )


def _verdict(hold: Hold, value: float) -> str:
    return "held" if hold.met(value) else "missed"


def _ms(seconds: tuple[float, float]) -> tuple[float, float]:
    return seconds[0] * 1000, seconds[1] * 1000
