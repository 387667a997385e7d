"""The console's page of the policy: every rule in words, and what would happen by the guard's own evaluator."""

import json
import re
from html import unescape

import pytest

from hitl.policy.explain import explain
from hitl.protocol import Effect, PolicyContext
from tests.hitl.console.visiting import Console, console_policy, others_scripts

pytestmark = pytest.mark.asyncio(loop_scope="session")
EVIL = "<img src=x onerror=alert(1)> \u202eneddih"
POLICY = (
    console_policy().replace(
        "actions: [{allow: github.delete_branch}]",
        "actions:\n"
        "      - {allow: github.delete_branch, where: {repository_owner: acme, repository_name: 'shop-*'}}\n"
        "      - {deny: github.open_pull_request, where: {repository_name: payroll}, because: frozen for the audit}\n"
        "      - {allow: github.open_pull_request, where: {repository_owner: acme}}\n"
        "    budget: {day: 1200}",
    )
    + "  quiet: {phase: read_only}\n"
    + "github:\n  rates: {person: 7, installation: 70}\n  triggers:\n"
    + "    - {events: [comment], commands: [run], repositories: [acme/*], permission: write, goals: [ReadFile]}\n"
)


def words(page: str) -> str:
    """What people read."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


async def test_every_rule_is_told_in_words_with_the_steps_that_it_is_about(console: Console) -> None:
    console.house.path.write_text(POLICY)
    async with console.visit("alice") as alice:
        page = (await alice.get("/policy")).text
    told = words(page)
    for text in (
        "Allow github.delete_branch",
        "where the repository's owner is acme and the repository's name is like shop-*",
        "frozen for the audit",
        "$1,200 a day",
        "2 of release: alice, bob, carol; never who asked",
        "approve within 7d",
        "environments.live.approvals[1]",
        "At most 7 goals an hour for one person, and 70 for one installation",
        "A comment that says run in acme/* by whoever GitHub lets write there, or more",
        "console:dave@acme.test",
        console.policy.current().digest,
    ):
        assert text in told, text
    assert "github.open_pull_request" in told
    assert "break glass" in told


async def test_it_is_looked_at_by_who_is_signed_in_and_changes_nothing(console: Console) -> None:
    before = console.house.path.read_bytes()
    async with console.visit("alice") as alice, console.visit() as nobody:
        page = await alice.get("/policy?action=github.read_file")
        assert (await nobody.get("/policy")).headers["location"].startswith("/sign-in")
        assert (await alice.post("/policy", action="github.read_file")).status_code == 405
        forms = re.findall(r"<form[^>]*>", page.text)
    assert [one for one in forms if 'method="post"' in one] == ['<form method="post" action="/sign-out" class="who">']
    assert others_scripts(page.text) == []
    assert console.house.path.read_bytes() == before


@pytest.mark.parametrize(
    ("asked", "verdict", "decides"),
    [
        ("action=github.read_file", "allowed", None),
        ("action=github.delete_branch&repository=acme/shop-web", "allowed with an approval", 0),
        ("action=github.delete_branch&repository=globex/shop-web", "denied", 0),
        ("action=github.open_pull_request&repository=acme/payroll", "denied", 1),
        ("action=github.open_pull_request&repository=acme/shop", "allowed", 2),
        ("action=github.open_pull_request", "denied", 1),
    ],
)
async def test_what_would_happen_is_what_the_guard_would_say(
    console: Console, asked: str, verdict: str, decides: int | None
) -> None:
    console.house.path.write_text(POLICY)
    async with console.visit("alice") as alice:
        page = await alice.get(f"/policy?{asked}")
    told = words(page.text)
    action, _, repository = asked.removeprefix("action=").partition("&repository=")
    context = PolicyContext.of_repository(repository) if repository else PolicyContext()
    effects = {"github.read_file": Effect.READ, "github.delete_branch": Effect.DESTRUCTIVE}
    said = explain(
        console.policy.current(), "live", action=action, effect=effects.get(action, Effect.WRITE), context=context
    )
    assert " ".join(said.split()) in told
    assert f"in live: {verdict}" in told
    rows = re.findall(r"<tr><th scope=\"row\"><code>environments.*?</tr>", page.text, re.DOTALL)
    deciding = [one for one in rows if "<b>" in one]
    assert len(rows) == 3
    assert [f"actions[{decides}]" in one for one in deciding] == ([] if decides is None else [True])


async def test_a_lower_phase_goes_before_any_rule(console: Console) -> None:
    console.house.path.write_text(POLICY)
    async with console.visit("alice") as alice:
        told = words((await alice.get("/policy?environment=quiet&action=github.open_pull_request")).text)
        unknown = await alice.get("/policy?environment=nowhere")
    assert "in quiet: denied" in told
    assert "is in phase read_only" in told
    assert (unknown.status_code, "names no environment" in unknown.text) == (404, True)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("action=github.read_fil", "did you mean 'github.read_file'?"),
        ("action=github.read_file&repository=shop", "'shop' is not OWNER/NAME"),
        ("action=github.read_file&cost=-1", "Write whole US dollars"),
        ("action=github.read_file&cost=²", "Write whole US dollars"),
        ("event=nonsense", "choose one of the list"),
        ("event=comment&command=run&on=shop", "'shop' is not OWNER/NAME"),
    ],
)
async def test_a_question_that_makes_no_sense_is_told_beside_its_field(console: Console, asked: str, told: str) -> None:
    console.house.path.write_text(POLICY)
    async with console.visit("alice") as alice:
        answer = await alice.get(f"/policy?{asked}")
    assert (answer.status_code, told in words(answer.text)) == (422, True)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("command=run&on=acme/shop&permission=write&goal=ReadFile", "It may be begun github.triggers[0]"),
        ("command=run&on=acme/shop&permission=read&goal=ReadFile", "wants write at least"),
        ("command=run&on=globex/shop&permission=admin&goal=ReadFile", "no rule under `github.triggers`"),
        ("command=run&on=acme/shop&permission=write&goal=OpenPullRequest", "may not be begun by this"),
    ],
)
async def test_what_may_be_begun_from_github_is_what_the_front_door_would_say(
    console: Console, asked: str, told: str
) -> None:
    console.house.path.write_text(POLICY)
    async with console.visit("alice") as alice:
        assert told in words((await alice.get(f"/policy?event=comment&{asked}")).text)


async def test_what_somebody_typed_or_wrote_is_no_markup_and_hides_nothing(console: Console) -> None:
    console.house.path.write_text(POLICY.replace("frozen for the audit", json.dumps(EVIL)))
    async with console.visit("alice") as alice:
        asked = await alice.hands.get("/policy", params={"action": "github.read_file", "resource": EVIL})
        wrong = await alice.hands.get("/policy", params={"action": EVIL})
    assert (asked.status_code, wrong.status_code) == (200, 422)
    for page in (asked, wrong):
        shown = re.sub(r' value="[^"]*"', "", page.text)  # what a form keeps is sent again as it was typed
        assert "<img src=x" not in page.text
        assert "\u202e" not in shown
        assert "\\u202e" in shown


async def test_a_policy_that_cannot_be_read_is_said_so_and_a_changed_one_is_new(console: Console) -> None:
    async with console.visit("alice") as alice:
        console.house.path.write_text(POLICY + "nonsense: 1\n")
        broken = await alice.get("/policy")
        console.house.path.write_text(POLICY)
        assert (await alice.get("/policy")).status_code == 200
    assert (broken.status_code, "nonsense" in broken.text) == (503, True)
