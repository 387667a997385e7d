"""Who has what begun by which event: the honest ways, and each way around them."""

from dataclasses import replace
from typing import get_args

import pytest

from hitl.github.deciding import Answer, Carry, Decided, Facts, Ignore, LeftOut, Look, Start, decide
from hitl.github.events import Actor, AnyEvent, CheckRunEvent, CheckRunMention, RequestedAction
from hitl.github.repository_config import BrokenConfig, read_config
from hitl.policy.rules import Policy
from hitl.policy.triggers import Permission, SlashCommand
from tests.hitl.github.deciding_cases import (
    ALICE,
    BOT,
    BY_THEMSELVES,
    FORK,
    NEW,
    SHOP,
    STRANGER,
    WRITERS,
    comment,
    config,
    facts,
    policy,
    pull,
    push,
)


def why(decided: Decided) -> str:
    assert isinstance(decided, Answer | Ignore), decided
    return decided.words if isinstance(decided, Answer) else decided.why


def test_a_comment_of_a_collaborator_starts_the_goal_in_their_name_once_github_was_asked() -> None:
    assert decide(comment(), policy()) == Look("Alice")
    started = decide(comment(), policy(), facts())
    assert isinstance(started, Start)
    assert started.by.identity == "github:alice"
    assert [one.request.business_key() for one in started.goals] == ["read-file/acme/shop/README.md"]
    here = decide(comment("/banksman run ReadFile path=README.md"), policy(), facts())
    assert isinstance(here, Start)
    assert here.goals == started.goals, "a goal is about the repository in which it is asked for"
    asked = decide(comment("/banksman ask read the readme of acme/shop"), policy(), facts())
    assert isinstance(asked, Start)
    assert asked.goals[0].goal.name == "AskFor"
    text = asked.goals[0].request.model_dump()["text"]
    assert text == "read the readme of acme/shop\n\nThis was said on issue or pull request #3 of acme/shop."


def test_how_a_repository_says_that_its_tests_run_is_meant_where_nobody_says_it() -> None:
    said = facts(config=config(test=["python3", "-m", "unittest"]))
    asked = decide(comment("/banksman ask add tests"), policy(), said)
    assert isinstance(asked, Start)
    words = asked.goals[0].request.model_dump()["text"]
    assert words.endswith("#3 of acme/shop. Its tests are run by: python3 -m unittest")
    coding = policy(replace(WRITERS, goals=("CodingJob",)))
    for given, test in (
        ('{"kind": "tests", "text": "Add some."}', ("python3", "-m", "unittest")),
        ('{"kind": "tests", "text": "Add some.", "test": ["make", "test"]}', ("make", "test")),
        ('{"kind": "review", "pull": 3}', ()),
    ):
        begun = decide(comment(f"/banksman run CodingJob {given}"), coding, said)
        assert isinstance(begun, Start), begun
        assert begun.goals[0].request.model_dump()["test"] == test


def test_to_take_up_a_review_is_a_command_like_any_other_that_begins_something() -> None:
    for body, words in (("/banksman revise", ""), ('/banksman revise "Say it shorter"', "Say it shorter")):
        carried = decide(comment(body), policy(), facts())
        assert isinstance(carried, Carry)
        assert (carried.command.word, carried.command.given) == (SlashCommand.REVISE, words)
    without = replace(WRITERS, commands=WRITERS.commands - {SlashCommand.REVISE})
    for refused in (
        decide(comment("/banksman revise"), policy(without), facts()),
        decide(comment("/banksman revise"), policy(), facts(Permission.READ)),
        decide(comment("/banksman revise", by=STRANGER), policy(), facts()),
    ):
        assert isinstance(refused, Answer)
        assert refused.refused
    assert isinstance(decide(comment("/banksman revise", by=BOT), policy(), facts()), Ignore)


@pytest.mark.parametrize(
    ("event", "known", "policy_", "says"),
    [
        (comment(by=STRANGER), None, policy(), "does not know 'github:mallory'"),
        (comment(by=Actor(login="alice", id=6666)), None, policy(), "somebody took that login"),
        (comment(), None, policy(ids=False), "does not say which account"),
        (comment(by=BOT), facts(), policy(), "bot's doing"),
        (comment(by=Actor(login="alice", id=1001, type="Bot")), facts(), policy(), "bot's doing"),
        (comment(action="edited"), facts(), policy(), "as it was first written"),
        (comment("look:\n/banksman status"), facts(), policy(), "no command"),
        (comment(repository=SHOP.model_copy(update={"archived": True})), facts(), policy(), "archived"),
        (comment(), facts(Permission.READ), policy(), "wants write at least"),
        (comment(), facts(Permission.TRIAGE), policy(), "wants write at least"),
        (comment(), facts(account=6666), policy(), "another account"),
        (comment(), facts(Permission.ADMIN), Policy(source="p", environments={}), "No rule under"),
        (comment(repository=SHOP.model_copy(update={"full_name": "acme/web"})), facts(), policy(), "No rule under"),
        (comment('/banksman run DeleteBranch {"repository":"acme/shop","branch":"x"}'), facts(), policy(),
            "may not be begun by this"),
        (comment("/banksman run Nothing"), facts(), policy(), "no goal 'Nothing'"),
        (comment("/banksman run ReadFile"), facts(), policy(), "'path' is missing"),
        (comment("/banksman run ReadFile repository=acme/payroll path=x"), facts(), policy(), "in that repository"),
        (comment("/banksman destroy"), facts(), policy(), "There is no command"),
    ],
)  # fmt: skip
def test_each_is_refused_with_its_reason(event: AnyEvent, known: Facts | None, policy_: Policy, says: str) -> None:
    assert says in why(decide(event, policy_, known))


def test_who_wrote_it_has_to_be_who_caused_it() -> None:
    event = comment()
    other = event.comment.model_copy(update={"user": STRANGER})
    assert "nobody speaks for another" in why(decide(event.model_copy(update={"comment": other}), policy(), facts()))
    by_app = event.comment.model_copy(update={"by_app": True})
    assert "An App wrote that" in why(decide(event.model_copy(update={"comment": by_app}), policy(), facts()))
    gone = event.comment.model_copy(update={"user": None})
    assert isinstance(decide(event.model_copy(update={"comment": gone}), policy(), facts()), Ignore)


def test_what_the_event_says_of_its_author_counts_for_nothing() -> None:
    assert comment().comment.author_association == "OWNER"
    assert isinstance(decide(comment(), policy(), facts(Permission.NONE)), Answer)


def test_a_stranger_is_told_by_a_reaction_alone_and_a_known_person_in_words() -> None:
    stranger = decide(comment("/banksman help", by=STRANGER), policy())
    assert isinstance(stranger, Answer)
    assert not stranger.aloud
    reader = decide(comment(), policy(), facts(Permission.READ))
    assert isinstance(reader, Answer)
    assert reader.aloud


def test_help_is_for_who_may_say_anything_here() -> None:
    helped = decide(comment("/banksman help"), policy(), facts())
    assert isinstance(helped, Answer)
    assert not helped.refused
    assert "/banksman run GOAL" in helped.words
    assert "wants write" in why(decide(comment("/banksman help"), policy(), facts(Permission.READ)))


def test_a_button_says_the_command_of_its_name_on_the_goal_of_its_check_run() -> None:
    run = CheckRunMention(id=1, head_sha=NEW, external_id="read-file/acme/shop/README.md")
    pressed = CheckRunEvent(
        action="requested_action",
        sender=ALICE,
        repository=SHOP,
        check_run=run,
        requested_action=RequestedAction(identifier="cancel"),
    )
    carried = decide(pressed, policy(), facts())
    assert isinstance(carried, Carry)
    assert (carried.command.word, carried.command.id) == (SlashCommand.CANCEL, run.external_id)
    again = decide(pressed.model_copy(update={"action": "rerequested", "requested_action": None}), policy(), facts())
    assert isinstance(again, Carry)
    assert again.command.word is SlashCommand.RETRY
    odd = pressed.model_copy(update={"requested_action": RequestedAction(identifier="destroy")})
    assert isinstance(decide(odd, policy(), facts()), Ignore)
    assert isinstance(decide(pressed.model_copy(update={"sender": STRANGER}), policy()), Answer)


ON_PUSH = {"event": "push", "branches": ["main"], "paths": ["src/**"], "task": "read"}
ON_PULL = {"event": "pull_request", "actions": ["opened", "synchronize"], "task": "read"}


def test_a_push_starts_the_tasks_of_its_branch_and_paths_at_its_new_head() -> None:
    asked = config(triggers=[ON_PUSH])
    started = decide(push("src/a/b.py"), policy(), facts(config=asked))
    assert isinstance(started, Start)
    assert f'"{NEW}"' in started.goals[0].request.model_dump_json()
    for event in (push("docs/a.md"), push("src/a", ref="refs/heads/x"), push("src/a", ref="refs/tags/main")):
        assert "No trigger" in why(decide(event, policy(), facts(config=asked)))
    assert "has no .banksman/config.yaml" in why(decide(push("src/a"), policy(), facts()))
    assert "bot's doing" in why(decide(push("src/a", by=BOT), policy(), facts(config=asked)))
    assert "does not know" in why(decide(push("src/a", by=STRANGER), policy()))


CART = ("services/cart/", "!*.md")
MAIL = ("services/mail/",)


def test_a_pull_request_starts_the_tasks_of_which_a_changed_file_is_one_and_tells_which_it_leaves_out() -> None:
    at = {"repository": "$repository", "path": "README.md"}
    tasks = {name: {"goal": "ReadFile", "input": {**at, "ref": name}} for name in ("cart", "mail", "every")}
    asked = config(
        tasks=tasks,
        triggers=[
            {**ON_PULL, "task": "cart", "paths": list(CART)},
            {**ON_PULL, "task": "mail", "paths": list(MAIL)},
            {**ON_PULL, "task": "every"},
            {**ON_PULL, "task": "cart", "paths": ["never/"], "branches": ["other"]},
        ],
    )
    known = facts(config=asked)
    assert decide(pull(), policy(), known) == Look("Alice", (CART, MAIL)), "of what this one can begin, and no more"
    assert decide(pull(), policy(), replace(known, changed={CART: True})) == Look("Alice", (CART, MAIL))
    begun = decide(pull(), policy(), replace(known, changed={CART: True, MAIL: False}))
    assert isinstance(begun, Start)
    assert [one.request.model_dump()["ref"] for one in begun.goals] == ["cart", "every"]
    assert begun.refused == ("mail: no changed file matches 'services/mail/'.",)
    assert begun.left_out == (), "the check run of this name is that of the goal that was begun"
    cut = decide(pull(), policy(), replace(known, changed={CART: True, MAIL: True}, whole=False))
    assert isinstance(cut, Start)
    assert (len(cut.goals), "3,000 files" in cut.refused[0]) == (3, True)


def test_where_no_file_fits_the_check_run_tells_why_to_who_might_have_had_it_begun() -> None:
    asked = config(triggers=[{**ON_PULL, "task": "read", "paths": list(CART)}])
    left = decide(pull(), policy(), replace(facts(config=asked), changed={CART: False}))
    assert isinstance(left, Ignore)
    assert left.left_out == (LeftOut(task="read", goal="ReadFile", paths=CART),)
    assert left.why == "read: no changed file matches 'services/cart/', '!*.md'."
    reader = decide(pull(), policy(), replace(facts(Permission.READ, config=asked), changed={CART: False}))
    assert isinstance(reader, Ignore)
    assert (reader.left_out, "wants write" in reader.why) == ((), True)
    assert isinstance(decide(pull(by=STRANGER), policy()), Ignore), "for a stranger GitHub is asked nothing"


def test_of_a_push_that_tells_not_every_file_any_may_be_there() -> None:
    asked = config(triggers=[ON_PUSH])
    cut = push("docs/a.md").model_copy(update={"paths_complete": False})
    assert isinstance(decide(cut, policy(), facts(config=asked)), Start)


def test_a_forks_pull_request_starts_nothing_that_writes_or_sees_what_is_private() -> None:
    delete = {"goal": "DeleteBranch", "input": {"repository": "$repository", "branch": "old"}}
    status = {"goal": "FlowStatus", "input": {"prefix": "acme/shop/"}}
    read = {"goal": "ReadFile", "input": {"repository": "$repository", "path": "README.md"}}
    tasks = {"read": read, "delete": delete, "status": status}
    on = [{**ON_PULL, "task": name} for name in tasks]
    asked = config(tasks=tasks, triggers=on)
    own = decide(pull(), policy(), facts(config=asked))
    assert isinstance(own, Start)
    forked = decide(pull(head=FORK), policy(), facts(config=asked))
    private = [one.goal.name for one in own.goals if one.goal.name != "ReadFile"]
    assert private == ["DeleteBranch", "FlowStatus"]
    refused = " ".join(forked.refused) if isinstance(forked, Start) else why(forked)
    assert "nothing that writes, and DeleteBranch does" in refused
    assert "private, and FlowStatus may" in refused
    begun = [one.goal.name for one in forked.goals] if isinstance(forked, Start) else []
    assert set(begun) <= {"ReadFile"}
    assert isinstance(decide(pull(head=FORK, by=STRANGER, author=STRANGER), policy()), Ignore)


def test_a_task_names_nothing_of_another_repository() -> None:
    other = {"read": {"goal": "ReadFile", "input": {"repository": "acme/payroll", "path": "x"}}}
    asked = config(tasks=other, triggers=[ON_PUSH])
    assert "in that repository" in why(decide(push("src/a"), policy(), facts(config=asked)))


def test_no_fleet_is_begun_from_one_repository() -> None:
    every = replace(WRITERS, goals=("*",))
    body = '/banksman run RunFleet {"goal":"ReadFile","inputs":{"path":"x"},"repositories":["acme/*"]}'
    assert "about many repositories" in why(decide(comment(body), policy(every), facts(Permission.ADMIN)))


def test_a_file_with_mistakes_begins_nothing_and_a_push_of_it_tells_them() -> None:
    broken = read_config(b"version: 1\ncommands: [runs]\n")
    assert isinstance(broken, BrokenConfig)
    told = decide(comment(), policy(), facts(config=broken))
    assert isinstance(told, Answer)
    assert told.mistakes[0][:2] == (2, 12)
    pushed = decide(push(".banksman/config.yaml"), policy(), facts(config=broken))
    assert isinstance(pushed, Answer)
    assert pushed.mistakes == told.mistakes
    stranger = push(".banksman/config.yaml", by=STRANGER)
    assert decide(stranger, policy()) == Look("mallory"), "whoever pushed it is told, and has nothing begun"
    told_too = decide(stranger, policy(), facts(config=broken, account=STRANGER.id))
    assert isinstance(told_too, Answer)
    assert isinstance(decide(stranger, policy(), facts(config=config(), account=STRANGER.id)), Ignore)
    elsewhere = push(".banksman/config.yaml", ref="refs/heads/work")
    assert isinstance(decide(elsewhere, policy(), facts(config=broken)), Ignore)
    assert isinstance(decide(push("src/a"), policy(), facts(config=broken)), Ignore)


def test_every_kind_of_event_gets_an_answer_whatever_its_action() -> None:
    for event in (comment(), pull(), push("a")):
        for action in ("", "created", "deleted", "nonsense"):
            decided = decide(event.model_copy(update={"action": action}), policy(), facts())
            assert isinstance(decided, get_args(Decided))


def test_rules_that_name_one_event_say_nothing_of_another() -> None:
    assert isinstance(decide(comment(), policy(BY_THEMSELVES)), Ignore)
    assert isinstance(decide(push("src/a"), policy(WRITERS)), Ignore)
