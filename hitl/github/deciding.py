"""What becomes of an event: started, carried out, answered, or nothing. Pure; the gateway's step carries it out.

It is asked twice. The first time nobody has asked GitHub anything yet: most events end there, and only where somebody
whom the policy knows wants something that a rule names is GitHub asked what they may do (`Look`). What is decided then
counts by what GitHub said, and by the repository's own file at its default branch.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue, ValidationError

from activities.github.changed_contracts import Patterns
from hitl.gateway.inputs import AskedFor, NotAskedFor, read_asked
from hitl.github.commands import USAGE, Command, Misread, read_command
from hitl.github.deputy import nobodys_will, of_fork, refuse_for_fork
from hitl.github.events import (
    AnyEvent,
    CheckRunEvent,
    IssueCommentEvent,
    IssuesEvent,
    OfRepository,
    PullRequestEvent,
    PullRequestReviewCommentEvent,
    PullRequestReviewEvent,
    PushEvent,
)
from hitl.github.happenings import happening_of
from hitl.github.repository_config import PATH, BrokenConfig, RepositoryConfig, Task, TriggerOf, filled
from hitl.github.rules import Asked, Known, named_by, refuse, who
from hitl.hidden import visible
from hitl.policy.path_patterns import touches
from hitl.policy.rules import Policy
from hitl.policy.triggers import SAID, Permission, SlashCommand, Trigger, fits_any
from sandbox.gate.kinds import Kind
from workflows.agent.goals import ASK_FOR, AskForInput
from workflows.catalogue import find_goal
from workflows.coding.job.goals import CODING_JOB
from workflows.contracts import REPOSITORY_ATTRIBUTE
from workflows.converter import describe_problems
from workflows.fleet.goals import RUN_FLEET
from workflows.manifest.text import Mistake

_BUTTONS: Mapping[str, SlashCommand] = {
    "approve": SlashCommand.APPROVE,
    "cancel": SlashCommand.CANCEL,
    "retry": SlashCommand.RETRY,
}
_HEADS = "refs/heads/"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What GitHub was asked.

    Attributes:
        account: The number of the account whose permission was told.
        permission: What that account may do in the repository.
        config: The repository's own file at its default branch; None where it has none.
        head: Where the pull request stands that was commented on; None where it was not asked for.
        branch: Its branch, as a branch of this repository; None where it is a fork's, or was not asked for.
        changed: By a trigger's `paths`, whether a file of the pull request fits; what was not asked is not there.
        whole: Whether GitHub listed every file for that; where it did not, each counts as fitting.
    """

    account: int
    permission: Permission
    config: RepositoryConfig | BrokenConfig | None
    head: str | None = None
    branch: str | None = None
    changed: Mapping[Patterns, bool] = field(default_factory=dict[Patterns, bool])
    whole: bool = True


@dataclass(frozen=True)
class Look:
    """GitHub has to be asked what this login may do, and for the repository's file.

    Attributes:
        filters: Where that is known: these `paths`, of which GitHub has to be asked whether a changed file fits.
    """

    login: str
    filters: tuple[Patterns, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A task that may be begun, and is not, for no file that changed is one of its own."""

    task: str
    goal: str
    paths: Patterns


@dataclass(frozen=True, kw_only=True)
class Start:
    """Goals are begun in this person's name.

    Attributes:
        refused: What else was wanted and may not be, and what else there is to say, a line each.
        left_out: Tasks that are about other files.
    """

    by: Known
    goals: tuple[AskedFor, ...]
    refused: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Carry:
    """A command on what is there already is carried out in this person's name."""

    by: Known
    command: Command


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The person is told something.

    Attributes:
        words: What; a stranger's words are in them, with nothing hidden.
        refused: Whether they asked for something that may not be.
        aloud: By a comment; otherwise by a reaction alone, as to strangers, who could have us write as much as they do.
        mistakes: Of the repository's file, for the lines of a check run.
    """

    words: str
    refused: bool = True
    aloud: bool = True
    mistakes: tuple[Mistake, ...] = ()


@dataclass(frozen=True)
class Ignore:
    """Nothing is done. Attributes: why, for the log and the result; left_out, tasks that are about other files."""

    why: str
    left_out: tuple[LeftOut, ...] = ()


Decided = Look | Start | Carry | Answer | Ignore


def decide(event: AnyEvent, policy: Policy, facts: Facts | None = None) -> Decided:
    """What becomes of an event. Total: every event gets one answer.

    Args:
        event: As GitHub sent it and the gateway verified it.
        policy: The deployment's.
        facts: What GitHub said; None before it was asked.
    """
    happening = happening_of(event)
    if happening.trigger is None or not isinstance(event, OfRepository):
        return Ignore(f"{event.event} {event.action}: {happening.happens}.")
    case = _Case(event=event, trigger=happening.trigger, policy=policy)
    if why := nobodys_will(event):
        return _of_config(case, facts) or Ignore(why)  # a bot merges, too, and the file counts whoever merged it
    if case.trigger not in SAID:
        return _of_config(case, facts) or _on_event(case, facts)
    said = _said(event)
    return Ignore("There is no command on the first line.") if said is None else _on_said(case, said, facts)


@dataclass(frozen=True, kw_only=True)
class _Case:
    """What is decided about."""

    event: OfRepository
    trigger: Trigger
    policy: Policy

    @property
    def repository(self) -> str:
        return self.event.repository.full_name

    def asked(self, command: SlashCommand | None, permission: Permission) -> Asked:
        """What is asked, apart from any goal."""
        return Asked(trigger=self.trigger, command=command, repository=self.repository, permission=permission)

    def met(self, facts: Facts | None) -> tuple[Known, Facts] | Decided:
        """Whose will it is and what GitHub says of them; or what is decided without."""
        command = SlashCommand.HELP if self.trigger in SAID else None
        if not named_by(self.policy, self.trigger, command, self.repository):
            no_rule = f"No rule under `github.triggers` of {self.policy.source} is about a {self.trigger} in"
            return Ignore(f"{no_rule} {self.repository!r}.")
        by = who(self.event.sender, self.policy)
        if isinstance(by, str):
            return Answer(words=by, aloud=False)
        if facts is None:
            return Look(self.event.sender.login)
        if facts.account != self.event.sender.id:
            return Answer(words="GitHub told of another account than the one that did this: it was renamed.")
        return by, facts


def _said(event: OfRepository) -> Command | Misread | None:
    match event:
        case IssueCommentEvent() | PullRequestReviewCommentEvent():
            return read_command(event.comment.body)
        case PullRequestReviewEvent():
            return read_command(event.review.body)
        case CheckRunEvent():
            pressed = event.requested_action.identifier if event.requested_action else "retry"
            word, about = _BUTTONS.get(pressed), event.check_run.external_id
            return Command(word=word, id=about) if word is not None and about else None
        case _:
            return None


def _on_said(case: _Case, said: Command | Misread, facts: Facts | None) -> Decided:
    met = case.met(facts)
    if not isinstance(met, tuple):
        return met
    by, found = met
    if isinstance(found.config, BrokenConfig):
        return _broken(found.config)
    asked = case.asked(SlashCommand.HELP if isinstance(said, Misread) else said.word, found.permission)
    if why := refuse(asked, case.policy, found.config):
        return Answer(words=why)
    return Answer(words=said.words) if isinstance(said, Misread) else _on_command(said, asked, by, case, found.config)


def _on_command(said: Command, asked: Asked, by: Known, case: _Case, config: RepositoryConfig | None) -> Decided:
    match said.word:
        case SlashCommand.HELP:
            return Answer(words=USAGE, refused=False)
        case SlashCommand.RUN | SlashCommand.ASK:
            try:
                wanted = _wanted(said, here=asked.repository, number=_number(case.event), config=config)
            except NotAskedFor as error:
                return Answer(words=str(error))
            why = refuse_goal(wanted, asked, case.policy, config)
            return Answer(words=why) if why else Start(by=by, goals=(wanted,))
        case _:
            return Carry(by=by, command=said)


def asked_again(wanted: AskedFor, asked: Carry, event: AnyEvent, policy: Policy, facts: Facts | None) -> Start | Answer:
    """Whether what somebody asked for once may be begun once more: by the rules of today, as if it were new."""
    if facts is None or not isinstance(event, OfRepository) or isinstance(facts.config, BrokenConfig):
        return Answer(words="Nobody has asked GitHub what you may do there.")
    trigger = happening_of(event).trigger
    if trigger is None:
        return Answer(words="Nothing is begun by this.")
    case = _Case(event=event, trigger=trigger, policy=policy)
    why = refuse_goal(wanted, case.asked(asked.command.word, facts.permission), policy, facts.config)
    return Answer(words=why) if why else Start(by=asked.by, goals=(wanted,))


def refuse_goal(wanted: AskedFor, asked: Asked, policy: Policy, config: RepositoryConfig | None) -> str | None:
    """Why this goal may not be begun by what was asked, or None.

    GitHub was asked what the person may do in this repository, and not in any other: a goal that says which it is
    about has to be about this one.
    """
    if wanted.goal is RUN_FLEET:
        return "A fleet is about many repositories: ask for it by the command, in the console or in Slack."
    about = wanted.request.search_attributes().get(REPOSITORY_ATTRIBUTE)
    if about is not None and about.lower() != asked.repository.lower():
        return f"From {asked.repository!r} nothing of {about!r} is begun: ask for it in that repository."
    wants = Asked(
        trigger=asked.trigger,
        command=asked.command,
        repository=asked.repository,
        permission=asked.permission,
        goal=wanted.goal.name,
    )
    return refuse(wants, policy, config)


def _wanted(said: Command, *, here: str, number: int | None, config: RepositoryConfig | None) -> AskedFor:
    test = config.test if config is not None else None
    if said.word is SlashCommand.RUN:
        return read_asked(said.goal, said.given, here=here, known=_meant(said, test))
    # A model names only what people named: what is plain where they say it, they need not say.
    place = f"issue or pull request #{number} of {here}" if number is not None else here
    words = f"{said.given}\n\nThis was said on {place}."
    words += f" Its tests are run by: {' '.join(test)}" if test else ""
    try:
        return AskedFor(goal=ASK_FOR, request=AskForInput(text=words))
    except ValidationError as error:
        raise NotAskedFor(describe_problems(AskForInput, error)) from error


def _number(event: OfRepository) -> int | None:
    match event:
        case IssueCommentEvent():
            return event.issue.number
        case PullRequestReviewCommentEvent() | PullRequestReviewEvent():
            return event.pull_request.number
        case _:
            return None


def _meant(said: Command, test: Sequence[str] | None) -> dict[str, JsonValue]:
    """What a coding job need not be told; one that only comments runs nothing."""
    if said.goal != CODING_JOB.name or test is None:
        return {}
    try:
        given = json.loads(said.given or "{}")
    except ValueError:
        return {}  # the goal's own input says what is wrong with it
    return {} if isinstance(given, dict) and given.get("kind") == Kind.REVIEW else {"test": list(test)}


def _broken(config: BrokenConfig) -> Answer:
    words = f"Nothing is begun here until {PATH} is mended, since nobody can tell what it forbids:\n{config}"
    return Answer(words=words, mistakes=config.mistakes)


def changes_config(event: OfRepository, policy: Policy) -> bool:
    """Whether a repository that a rule is about has another file of its own now, or may have one."""
    if not isinstance(event, PushEvent) or event.deleted:
        return False
    watched = any(fits_any(event.repository.full_name.lower(), one.repositories) for one in policy.github.rules)
    touched = PATH in event.paths or not event.paths_complete
    return watched and touched and event.ref == f"{_HEADS}{event.repository.default_branch}"


def _of_config(case: _Case, facts: Facts | None) -> Decided | None:
    """What is told of a new file of the repository's that has mistakes, whoever pushed it; None where it has none."""
    if not changes_config(case.event, case.policy):
        return None
    event = case.event
    if facts is None:
        return Look(event.sender.login)
    return _broken(facts.config) if isinstance(facts.config, BrokenConfig) else None


def _on_event(case: _Case, facts: Facts | None) -> Decided:
    met = case.met(facts)
    if isinstance(met, Answer):
        return Ignore(met.words)  # nobody asked to be told
    if not isinstance(met, tuple):
        return met
    by, found = met
    match found.config:
        case BrokenConfig():
            return Ignore(f"{PATH} has mistakes.")
        case None:
            return Ignore(f"{case.repository!r} has no {PATH}.")
        case config:
            return _begun(case, found, by, config)


def filters_of(event: OfRepository, config: RepositoryConfig) -> tuple[Patterns, ...]:
    """The `paths` on which it depends what a pull request begins, each once. Of a push its event tells the files."""
    if not isinstance(event, PullRequestEvent):
        return ()
    return tuple(dict.fromkeys(tuple(one.paths) for one in _fitting(event, config) if one.paths))


def _begun(case: _Case, facts: Facts, by: Known, config: RepositoryConfig) -> Decided:
    goals: dict[str, AskedFor] = {}
    refused: list[str] = []
    left_out: list[LeftOut] = []
    filters = filters_of(case.event, config)
    if not facts.changed.keys() >= set(filters):
        return Look(case.event.sender.login, filters)
    for one in _fitting(case.event, config):
        found = asked_for(config.tasks[one.task], _values(case.event))
        if isinstance(found, str):
            refused.append(f"{one.task}: {found}")
        elif why := _refuse_trigger(found, one, case.asked(None, facts.permission), case, config):
            refused.append(f"{one.task}: {why}")
        elif filters and one.paths and not facts.changed[tuple(one.paths)]:
            left_out.append(LeftOut(task=one.task, goal=found.goal.name, paths=tuple(one.paths)))
        else:
            goals.setdefault(found.request.business_key(), found)
    lines = [*refused, *(f"{one.task}: {no_file_fits(one.paths)}." for one in left_out)]
    if not goals:
        return Ignore(" ".join(lines) or f"No trigger in {PATH} is about this.", _shown(left_out, goals))
    lines += [] if facts.whole else [CUT]
    return Start(by=by, goals=tuple(goals.values()), refused=tuple(lines), left_out=_shown(left_out, goals))


def _shown(left_out: list[LeftOut], goals: Mapping[str, AskedFor]) -> tuple[LeftOut, ...]:
    """Each goal once, and none that is begun: its check run tells of that."""
    begun = {one.goal.name for one in goals.values()}
    return tuple({one.goal: one for one in reversed(left_out) if one.goal not in begun}.values())[::-1]


CUT: Final = (
    "GitHub lists the first 3,000 files that this pull request changes and no more: any `paths` count as fitting."
)


def no_file_fits(paths: Patterns) -> str:
    """Why a task was left out."""
    return f"no changed file matches {', '.join(repr(visible(one)) for one in paths)}"


def _refuse_trigger(
    wanted: AskedFor, one: TriggerOf, asked: Asked, case: _Case, config: RepositoryConfig
) -> str | None:
    if one.permission is not None and not asked.permission.reaches(one.permission):
        return f"{PATH} wants {one.permission} at least for it, and GitHub says {asked.permission}."
    fork = refuse_for_fork(wanted.goal) if of_fork(case.event) else None
    return fork or refuse_goal(wanted, asked, case.policy, config)


def asked_for(task: Task, values: Mapping[str, JsonValue]) -> AskedFor | str:
    """What a task begins, with these values for its placeholders; or why that is nothing."""
    goal = find_goal(task.goal)
    if goal is None:
        return f"There is no goal {task.goal!r}."
    try:
        request = goal.input.model_validate_json(json.dumps(filled(task, values)))
    except ValidationError as error:
        return describe_problems(goal.input, error)
    return AskedFor(goal=goal, request=request)


def _values(event: OfRepository) -> dict[str, JsonValue]:
    """What placeholders stand for. None of it is what a stranger chose: no branch, no title, no text."""
    values: dict[str, JsonValue] = {"$repository": event.repository.full_name}
    match event:
        case IssuesEvent():
            values["$number"] = event.issue.number
        case PullRequestEvent():
            values |= {"$number": event.number, "$sha": event.pull_request.head.sha}
        case PushEvent():
            values["$sha"] = event.after
        case _:
            pass
    return values


def _fitting(event: OfRepository, config: RepositoryConfig) -> Iterator[TriggerOf]:
    """The triggers that are about this event."""
    for one in config.triggers:
        match event:
            case PushEvent():
                fits = one.event == "push" and _fits_push(one, event)
            case IssuesEvent():
                fits = one.event == "issue" and _fits_action(one, event)
            case PullRequestEvent():
                on = event.pull_request.base.ref
                fits = one.event == "pull_request" and _fits_action(one, event) and _fits(on, one.branches)
            case _:
                fits = False
        if fits:
            yield one


def _fits_action(one: TriggerOf, event: IssuesEvent | PullRequestEvent) -> bool:
    label = event.label.name if event.label is not None else ""
    return event.action in (one.actions or ("opened", "reopened")) and (
        event.action != "labeled" or _fits(label, one.labels)
    )


def _fits_push(one: TriggerOf, event: PushEvent) -> bool:
    if event.deleted or not event.ref.startswith(_HEADS):
        return False
    touched = one.paths is None or not event.paths_complete or touches(event.paths, one.paths)
    return touched and _fits(event.ref.removeprefix(_HEADS), one.branches)


def _fits(text: str, patterns: list[str] | None) -> bool:
    return patterns is None or fits_any(text, patterns)
