"""What is counted of jobs and deliveries when all is over, and what is held. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict

from bench.ratios import Hold, percentile

DAY: Final = 86_400.0
ROLLS_A_DAY: Final = 24
"""How often a day everything is restarted, one process after another: more often than anybody updates."""

COMPLETED: Final = Hold(sense="at least", limit=0.95)
MEAN: Final = Hold(sense="at most", limit=300.0)
ANSWER: Final = Hold(sense="at most", limit=0.2)
AVAILABLE: Final = Hold(sense="at least", limit=0.999)

_COMPLETED: Final = "completed"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Traced(_Part):
    """What is found of one job that somebody asked for.

    Attributes:
        asked: What for.
        jobs: Workflows of jobs that its deliveries began.
        outcome: How the goal ended; empty where it has not.
        effects: How often each thing is on GitHub that has to be there once.
        seconds: From the comment to the job's end, however often the comment's delivery was sent.
        not_shown: What the job says could not be shown.
    """

    asked: str
    jobs: int
    outcome: str = ""
    effects: Mapping[str, int] = {}
    seconds: float | None = None
    not_shown: tuple[str, ...] = ()

    @property
    def started(self) -> bool:
        """Whether there was a job at all."""
        return self.jobs > 0

    @property
    def completed(self) -> bool:
        """Whether its goal was reached."""
        return self.outcome == _COMPLETED

    @property
    def lost(self) -> bool:
        """Nobody began it, it never ended, or it says that it is done and is not to be seen."""
        unseen = self.completed and any(count == 0 for count in self.effects.values())
        return not self.started or not self.outcome or unseen

    @property
    def doubled(self) -> bool:
        """Begun twice, or something of it is there twice."""
        return self.jobs > 1 or any(count > 1 for count in self.effects.values())


class Account(_Part):
    """Of all jobs of one part of a run."""

    jobs: tuple[Traced, ...]

    @property
    def started(self) -> int:
        """How many were begun."""
        return sum(one.started for one in self.jobs)

    @property
    def completed(self) -> float:
        """Share of those begun."""
        return sum(one.completed for one in self.jobs) / self.started if self.started else 0.0

    @property
    def lost(self) -> tuple[Traced, ...]:
        """Those of which something is missing."""
        return tuple(one for one in self.jobs if one.lost)

    @property
    def doubled(self) -> tuple[Traced, ...]:
        """Those of which something is there twice."""
        return tuple(one for one in self.jobs if one.doubled)

    @property
    def seconds(self) -> Sequence[float]:
        """Of those that ended."""
        return [one.seconds for one in self.jobs if one.seconds is not None]

    @property
    def mean(self) -> float:
        """Of these; endless where none ended."""
        return sum(self.seconds) / len(self.seconds) if self.seconds else float("inf")

    def held(self) -> bool:
        """Whether everything that is asked for is so."""
        return COMPLETED.met(self.completed) and not self.lost and not self.doubled and MEAN.met(self.mean)


class Answers(_Part):
    """How deliveries were answered, in seconds.

    Attributes:
        sent: How many there were.
        refused: How many of them no gateway took.
    """

    sent: int
    refused: int
    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, answers: Sequence[tuple[bool, float]]) -> "Answers":
        """From whether each was taken, and after how long it was answered.

        Raises:
            ValueError: There is none.
        """
        seconds = [one for _, one in answers]
        p50, p95, p99 = (percentile(seconds, share) for share in (0.5, 0.95, 0.99))
        return cls(sent=len(answers), refused=sum(not taken for taken, _ in answers), p50=p50, p95=p95, p99=p99)


class Rolling(_Part):
    """What a sender saw while everything was restarted.

    Attributes:
        rolls: How often everything was.
        every: Seconds from one delivery to the next.
        seconds: How long it all took.
        second_tries: Deliveries that the balancer brought to the other gateway.
    """

    rolls: int
    every: float
    seconds: float
    second_tries: int
    answers: Answers

    @property
    def share(self) -> float:
        """Of the deliveries in this window, in which nothing but restarts took place, those that were taken."""
        return 1 - self.answers.refused / self.answers.sent

    @property
    def down(self) -> float:
        """Seconds of one rolling restart without anybody to take one: a refused delivery counts until the next one."""
        return self.answers.refused * self.every / self.rolls

    @property
    def day(self) -> float:
        """Share of a day in which deliveries are taken."""
        return 1 - self.down * ROLLS_A_DAY / DAY

    def held(self) -> bool:
        """Whether everything that is asked for is so."""
        return AVAILABLE.met(self.day) and ANSWER.met(self.answers.p95)


class Flood(_Part):
    """Very many deliveries at once.

    Attributes:
        seconds: In which they were sent.
        workflows: How many there are of them.
        ended: How many of these were worked off.
        drained: Seconds from the last one until all were worked off.
        jobs: What people asked for meanwhile.
    """

    seconds: float
    workflows: int
    ended: int
    drained: float
    answers: Answers
    jobs: Account

    @property
    def complete(self) -> bool:
        """Whether all were taken, and each is one workflow that has ended."""
        return self.answers.refused == 0 and self.answers.sent == self.workflows == self.ended

    def held(self) -> bool:
        """Whether everything that is asked for is so."""
        return self.complete and ANSWER.met(self.answers.p95) and self.jobs.held()
