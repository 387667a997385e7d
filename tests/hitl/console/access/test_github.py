"""Signing in by GitHub, at its twin: who that is their number decides, and nothing of GitHub's answer is kept."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from temporalio.client import Client

from connectors.github.twin.app import TwinConfig, create_twin
from connectors.github.twin.bodies import number
from connectors.github.twin.sign_in import SignIns
from hitl.console.access.code_flow import begin
from hitl.console.access.tokens import Door, Session, SignIn
from hitl.console.settings import GITHUB_CALLBACK, ConsoleSettings, GitHubSignIn, OidcSettings
from tests.connectors.github.description import description
from tests.connectors.github.recorded import Served, served
from tests.hitl.console.visiting import ORIGIN, SECRET, Console, Visit, console_policy
from tests.workflows.approval.approving import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")
CLIENT = "Iv23liOfTheConsole"
CLIENT_SECRET = "a secret of the App that no page shows"
BACK = f"{ORIGIN}{GITHUB_CALLBACK}"
TAKEN = 4242
"""The account that has carol's old login now."""
POLICY = (
    console_policy()
    .replace("bob@acme.test]", "bob@acme.test, github:bob]")
    .replace("carol@acme.test]", "carol@acme.test, github:carol]")
    .replace("erin@acme.test]", "erin@acme.test, github:erin]")
    .replace("release: [alice, bob, carol]", "release: [alice, bob, carol, erin]")
    + f"github:\n  accounts: {{alice: {number('alice')}, carol: {number('carol')}, erin: {number('erin')}}}\n"
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    config = TwinConfig(
        repositories=tmp_path_factory.mktemp("none"),
        client_id=CLIENT,
        public_key="none",
        client_secret=CLIENT_SECRET,
        callbacks=[BACK],
        accounts={"carol": TAKEN},
        members={
            "acme": frozenset({"alice", "bob", "erin", "mallory"}),
            "acme/platform": frozenset({"alice"}),
            "globex": frozenset({"ops-robot[bot]"}),
        },
    )
    with served(create_twin(config), client_id=CLIENT, private_key=SecretStr("none")) as twin:
        yield twin


@pytest.fixture
def github(running: Served) -> Iterator[Served]:
    running.forget()
    yield running
    assert sign_ins(running).live == 0
    judge = description()
    known = [one for one in running.recorder.judged() if one.path.startswith("/applications/")]
    assert judge is None or running.recorder.faulty or [what for one in known for what in judge.problems(one)] == []


def sign_ins(twin: Served) -> SignIns:
    found: SignIns = twin.app.state.sign_ins
    return found


def console_of(twin: Served, client: Client, folder: Path, **changes: object) -> Console:
    doors = {name: changes.pop(name) for name in ("oidc",) if name in changes}
    fields = {"pages": twin.address, "api": twin.address, "client_id": CLIENT, "client_secret": CLIENT_SECRET} | changes
    console = Console(client, folder, development=False, github=GitHubSignIn.model_validate(fields), **doors)
    console.house.path.write_text(POLICY)
    return console


async def begun(visit: Visit, back: str = "/") -> str:
    """Where this browser is sent on GitHub."""
    answer = await visit.get(f"/sign-in/github?back={quote(back, safe='')}")
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def agreed(asked: str, login: str) -> str:
    """Where GitHub sends whoever goes on there as somebody."""
    async with httpx.AsyncClient() as browser:
        page = await browser.get(asked)
        assert page.status_code == 200, page.text
        form = dict(parse_qs(urlsplit(asked).query, keep_blank_values=True)) | {"login": [login]}
        answer = await browser.post(asked.partition("?")[0], data={name: value[0] for name, value in form.items()})
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


async def sign_in(visit: Visit, login: str, back: str = "/") -> httpx.Response:
    return await visit.get(await agreed(await begun(visit, back), login))


async def is_out(visit: Visit, answer: httpx.Response) -> bool:
    """Whether that let nobody in: no session, and none from before."""
    given = [one for one in answer.headers.get_list("set-cookie") if one.startswith("banksman=e")]
    return answer.status_code == 403 and not given and (await visit.get("/")).status_code == 303


async def test_a_person_signs_in_by_github_and_nothing_of_it_is_kept(
    github: Served, client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with console_of(github, client, tmp_path).visit() as alice:
        offer = await alice.get("/sign-in?back=/goals")
        assert 'href="/sign-in/github?back=/goals"' in offer.text
        assert "/sign-in/begin" not in offer.text
        asked = await begun(alice, "/goals")
        answer = await alice.get(await agreed(asked, "alice"))
        assert (answer.status_code, answer.headers["location"]) == (303, "/goals")
        page = await alice.get("/decided")
        assert ">alice<" in page.text.replace('<span class="unseen">Signed in as </span>', ">")
        held = alice.hands.cookies["banksman"]
        token = page.text.split('name="form" value="')[1].split('"')[0]
        assert (await alice.post("/sign-out", form=token)).status_code == 303
        assert (await alice.get("/")).status_code == 303
    told = parse_qs(urlsplit(asked).query)
    assert (told["redirect_uri"], told["code_challenge_method"]) == ([BACK], ["S256"])
    bearers = {one for one in github.recorder.bearers if one.startswith("ghu_")}
    everything = "".join((asked, offer.text, page.text, held, caplog.text, *capsys.readouterr()))
    assert len(bearers) == 1
    assert not [one for one in (*bearers, CLIENT_SECRET, "ghr_") if one in everything]
    assert github.recorder.lines()[-1].startswith(f"DELETE /applications/{CLIENT}/token 204")


@pytest.mark.parametrize(
    ("login", "told"),
    [
        ("mallory", "does not know &#39;github:mallory&#39;"),
        ("bob", "does not say which account &#39;github:bob&#39; is"),
        ("carol", "somebody took that login"),
        ("ops-robot[bot]", "no person&#39;s"),
        ("nobody", "did not let you in"),
    ],
)
async def test_whom_the_policy_does_not_mean_gets_no_session(
    github: Served, client: Client, tmp_path: Path, login: str, told: str
) -> None:
    async with console_of(github, client, tmp_path).visit() as visit:
        answer = await sign_in(visit, login)
        assert told in answer.text
        assert login != "carol" or str(TAKEN) in answer.text
        assert await is_out(visit, answer)


@pytest.mark.parametrize("state", ["another", "", None])
async def test_an_answer_of_github_without_the_state_of_this_browser_is_refused(
    github: Served, client: Client, tmp_path: Path, state: str | None
) -> None:
    async with console_of(github, client, tmp_path).visit() as alice:
        code = parse_qs(urlsplit(await agreed(await begun(alice), "alice")).query)["code"][0]
        said = {"code": code} | ({} if state is None else {"state": state})
        assert await is_out(alice, await alice.get(f"{GITHUB_CALLBACK}?{urlencode(said)}"))


async def test_another_browser_gains_nothing_by_a_link_or_a_code_of_github(
    github: Served, client: Client, tmp_path: Path
) -> None:
    console = console_of(github, client, tmp_path)
    async with console.visit() as mallory, console.visit() as victim:
        link = await agreed(await begun(mallory), "alice")
        assert await is_out(victim, await victim.get(link))
        await begun(victim)
        assert await is_out(victim, await victim.get(link))
        mine = parse_qs(urlsplit(await begun(mallory)).query)["state"][0]
        stolen = parse_qs(urlsplit(await agreed(await begun(victim), "alice")).query)["code"][0]
        # Her own state passes; GitHub sees that her verifier does not belong to the code.
        answer = await mallory.get(f"{GITHUB_CALLBACK}?{urlencode({'code': stolen, 'state': mine})}")
        assert await is_out(mallory, answer)


async def test_a_code_of_github_is_good_once(github: Served, client: Client, tmp_path: Path) -> None:
    async with console_of(github, client, tmp_path).visit() as alice:
        link = await agreed(await begun(alice), "alice")
        sealed = alice.hands.cookies["banksman-sign-in"]
        assert (await alice.get(link)).status_code == 303
        again = await alice.get(link)
        assert (again.status_code, "that this browser began" in again.text) == (403, True)
        alice.hands.cookies.clear()
        alice.hands.cookies.set("banksman-sign-in", sealed)
        answer = await alice.get(link)
        assert "used already" in answer.text
        assert await is_out(alice, answer)


async def test_a_sign_in_that_was_begun_at_one_door_ends_at_no_other(
    github: Served, client: Client, tmp_path: Path
) -> None:
    oidc = OidcSettings(issuer="https://sign-in.acme.test", client_id="banksman")
    console = console_of(github, client, tmp_path, oidc=oidc)
    async with console.visit() as alice:
        offer = (await alice.get("/sign-in")).text
        assert ("/sign-in/begin" in offer, "/sign-in/github" in offer) == (True, True)
        link = await agreed(await begun(alice), "alice")
        answer = await alice.get(link.replace(GITHUB_CALLBACK, "/sign-in/callback"))
        assert await is_out(alice, answer)
        other = begin(Door.OIDC, "/")
        alice.hands.cookies.set("banksman-sign-in", console.tokens.seal(other, lifetime=timedelta(minutes=1)))
        code = parse_qs(urlsplit(link).query)["code"][0]
        said = urlencode({"code": code, "state": other.state})
        assert "that this browser began" in (await alice.get(f"{GITHUB_CALLBACK}?{said}")).text


async def test_github_sends_nobody_elsewhere_and_nor_does_the_console(
    github: Served, client: Client, tmp_path: Path
) -> None:
    console = console_of(github, client, tmp_path)
    async with console.visit() as alice:
        asked = await begun(alice, "//evil.test/")
        note = console.tokens.read(alice.hands.cookies["banksman-sign-in"], SignIn)
        assert note is not None
        assert note.verifier not in asked
        async with httpx.AsyncClient() as browser:
            for evil in ("https://evil.test/", f"{BACK}/more", BACK.replace("127.0.0.1", "localhost")):
                bent = asked.replace(quote(BACK, safe=""), quote(evil, safe=""))
                assert bent != asked
                assert (await browser.get(bent)).status_code == 400
        answer = await alice.get(await agreed(asked, "alice"))
        assert (answer.status_code, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    ("members", "login", "told"),
    [
        (["acme"], "alice", ""),
        (["globex", "Acme/Platform"], "alice", ""),
        (["acme/platform"], "erin", "&#39;erin&#39; is no member of &#39;acme/platform&#39;"),
        (["globex"], "alice", "only members may enter"),
    ],
)
async def test_where_members_alone_may_enter_nobody_else_does(
    github: Served, client: Client, tmp_path: Path, members: list[str], login: str, told: str
) -> None:
    async with console_of(github, client, tmp_path, members=members).visit() as visit:
        answer = await sign_in(visit, login)
        if not told:
            assert answer.status_code == 303
            return
        assert told in answer.text
        assert await is_out(visit, answer)


async def test_who_is_taken_out_of_the_policy_is_out_at_once(github: Served, client: Client, tmp_path: Path) -> None:
    """Whom GitHub's organisation loses keeps the session until it ends: the policy is what is looked at."""
    console = console_of(github, client, tmp_path, members=["acme"])
    async with console.visit() as alice:
        assert (await sign_in(alice, "alice")).status_code == 303
        assert (await alice.get("/decided")).status_code == 200
        console.house.path.write_text(POLICY.replace(f"alice: {number('alice')}", f"alice: {TAKEN}"))
        other = await alice.get("/decided")
        console.house.path.write_text(POLICY.replace(f"alice: {number('alice')}, ", ""))
        none = await alice.get("/decided")
        session = console.tokens.read(alice.hands.cookies["banksman"], Session)
    assert session is not None
    assert (other.status_code, none.status_code) == (403, 403)
    assert "somebody took that login" in other.text
    assert (session.identity, session.account) == ("github:alice", number("alice"))


async def test_a_session_of_github_without_a_number_is_nobodys(github: Served, client: Client, tmp_path: Path) -> None:
    console = console_of(github, client, tmp_path)
    async with console.visit() as visit:
        bare = Session(id="s", identity="github:alice")
        visit.hands.cookies.set("banksman", console.tokens.seal(bare, lifetime=timedelta(hours=1)))
        assert (await visit.get("/decided")).status_code == 403


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"kind": "status", "status": 503, "path": "access_token"}, "cannot be reached"),
        ({"kind": "status", "status": 503, "path": "^/user$"}, "cannot be reached"),
        ({"kind": "garbage", "path": "^/user$"}, "did not accept"),
        ({"kind": "status", "status": 403, "path": "memberships"}, "members: read"),
    ],
    ids=["no token", "no user", "garbage", "members untold"],
)
async def test_a_github_that_does_not_answer_lets_nobody_in_and_has_its_token_back(
    github: Served, client: Client, tmp_path: Path, fault: dict[str, object], told: str
) -> None:
    async with console_of(github, client, tmp_path, members=["acme"]).visit() as alice:
        link = await agreed(await begun(alice), "alice")
        github.plant(**fault)
        answer = await alice.get(link)
        assert told in answer.text
        assert await is_out(alice, answer)


async def test_a_wrong_secret_or_an_absent_github_is_said_so(github: Served, client: Client, tmp_path: Path) -> None:
    wrong = console_of(github, client, tmp_path, client_secret="another")
    away = console_of(github, client, tmp_path, api="http://127.0.0.1:9")
    async with wrong.visit() as alice:
        answer = await sign_in(alice, "alice")
        assert "incorrect_client_credentials" in answer.text
        assert await is_out(alice, answer)
    async with away.visit() as alice:
        answer = await sign_in(alice, "alice")
        assert "cannot be reached" in answer.text
        assert await is_out(alice, answer)
    [left] = sign_ins(github)._tokens  # nobody could give it back; it ends by itself
    del sign_ins(github)._tokens[left]


async def test_one_person_behind_two_doors_is_one_person(github: Served, client: Client, tmp_path: Path) -> None:
    """Who approved by GitHub does not approve once more by another door, and who asked in Slack by none."""
    console = console_of(github, client, tmp_path)
    house = console.house
    async with (
        house.workers(gateway=True),
        console.visit() as by_github,
        console.visit() as by_console,
        console.visit() as erin,
    ):
        goal = await house.start()
        approval = await house.approval_of(goal)

        async def known() -> bool:
            return (await house.view(approval)).requester == "slack:U0ERIN"

        await eventually(known)
        await sign_in(erin, "erin")
        assert "withdraw" in (await erin.get(f"/approval?id={quote(approval, safe='')}")).text.lower()
        refused = await erin.get(f"/approval/decide?id={quote(approval, safe='')}&verdict=approve")
        assert "This is not yours to decide" in refused.text
        await sign_in(by_github, "alice")
        other = Session(id="other", identity="console:alice@acme.test")
        by_console.hands.cookies.set("banksman", console.tokens.seal(other, lifetime=timedelta(hours=1)))
        form = await by_console.asked(approval)
        first = await by_github.decide(approval)
        again = await by_console.post("/approval/decide", form=form, reason="")
        view = await house.view(approval)
        await goal.terminate()
    assert (first.status_code, "1 of 2 approved" in first.text) == (200, True)
    assert "Counted" not in again.text
    assert len(view.decisions) == 1
    assert [one.identity for one in console.hand.clicks][:1] == ["github:alice"]


@pytest.mark.parametrize("members", ["acme/", "acme/platform/more", "../acme", "acme team"])
async def test_what_is_no_organisation_is_refused_at_the_start(members: str) -> None:
    fields = {"pages": "https://github.com", "api": "https://api.github.com", "client_id": "c", "client_secret": "s"}
    with pytest.raises(ValidationError, match="members"):
        GitHubSignIn.model_validate(fields | {"members": [members]})
    door = GitHubSignIn.model_validate(fields)
    served_to_all = ConsoleSettings(origin="https://banksman.acme.test", secret=SecretStr(SECRET), github=door)
    assert served_to_all.vouched
