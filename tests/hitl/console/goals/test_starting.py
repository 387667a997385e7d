"""Goals in the console: what runs, the phase, and starting from a form."""

import pytest

from hitl.protocol import Effect
from tests.hitl.console.visiting import Console
from workflows.catalogue import GOALS

pytestmark = pytest.mark.asyncio(loop_scope="session")
START = "/goals/start"


async def test_a_goal_is_started_from_a_form_in_a_persons_name(console: Console) -> None:
    async with console.visit("alice") as alice:
        token = await alice.form(f"{START}?goal=RunInSandbox")
        fields = {
            "field-repository": "acme/console",
            "field-command": "git\r\nlog\r\n-1",
            "field-timeout_seconds": "60",
        }
        answer = await alice.post(START, form=token, **fields)
        assert (answer.status_code, "Started" in answer.text) == (200, True)
        [(goal, identity)] = console.goals.started
        assert identity == "console:alice@acme.test"
        shown = await alice.get("/goals")
        handle = console.house.client.get_workflow_handle(goal)
        described = await handle.describe()
        history = await handle.fetch_history()
        await handle.terminate()
    assert described.workflow_type == "RunInSandbox"
    data = history.events[0].workflow_execution_started_event_attributes.input.payloads[0].data
    assert b'"command":["git","log","-1"]' in data
    assert b'"timeout_seconds":60' in data
    assert goal in shown.text


async def test_an_input_that_is_wrong_is_told_and_kept(console: Console) -> None:
    async with console.visit("alice") as alice:
        token = await alice.form(f"{START}?goal=ReadFile")
        answer = await alice.post(START, form=token, **{"field-repository": "shop", "field-path": "README.md"})
    assert (answer.status_code, console.goals.started) == (422, [])
    beside = answer.text.split('id="field-repository"')[1].split('<div class="field')[0]
    assert 'class="beside" id="problem-repository">&#39;shop&#39; is not OWNER/NAME' in beside
    assert 'aria-describedby="about-repository problem-repository"' in beside
    assert 'aria-invalid="true"' in beside
    assert 'value="README.md"' in answer.text
    assert answer.text.count('class="beside"') == 1


async def test_everything_that_is_wrong_stands_beside_its_field_at_once(console: Console) -> None:
    async with console.visit("alice") as alice:
        token = await alice.form(f"{START}?goal=OpenPullRequest")
        both = await alice.post(
            START, form=token, **{"field-repository": "shop", "field-title": " ", "field-files": '[{"path": "/a"}]'}
        )
        whole = await alice.post(
            START,
            form=token,
            **{
                "field-repository": "acme/shop",
                "field-title": "t",
                "field-files": '[{"path": "a", "delete": true}, {"path": "a", "delete": true}]',
            },
        )
    for name, told in (("repository", "is not OWNER/NAME"), ("title", "is missing"), ("files", "0.path: ")):
        assert told in both.text.split(f'id="problem-{name}">')[1].split("</p>")[0]
    assert (whole.status_code, whole.text.count('class="beside"')) == (422, 0)
    assert "is named twice" in whole.text.split('role="alert"')[1].split("</p>")[0]
    assert console.goals.started == []


async def test_breaking_the_glass_is_asked_for_last_and_in_red(console: Console) -> None:
    async with console.visit("alice") as alice:
        page = (await alice.get(f"{START}?goal=DeleteBranch")).text
        fields = page.split('<div class="field')[1:]
        assert [' name="field-break_glass" type="checkbox"' in one for one in fields] == [False, False, False, True]
        assert fields[-1].startswith(' grave">')
        assert "In an emergency" in fields[-1]
        assert "checked" not in fields[-1]
        token = await alice.form(f"{START}?goal=DeleteBranch")
        wrong = await alice.post(START, form=token, **{"field-repository": "x", "field-break_glass": "yes"})
        assert " checked" in wrong.text.split('name="field-break_glass"')[1].split(">")[0]
        asked = {"field-repository": "acme/shop", "field-branch": "old"}
        await alice.post(START, form=token, **asked, **{"field-break_glass": "yes"})
        await alice.post(START, form=token, **asked)
        for goal, _ in console.goals.started:
            await console.house.client.get_workflow_handle(goal).terminate()
    assert [goal for goal, _ in console.goals.started] == [
        "delete-branch-break-glass/acme/shop/old",
        "delete-branch/acme/shop/old",
    ]


async def test_what_has_parts_is_written_as_json(console: Console) -> None:
    async with console.visit("alice") as alice:
        page = await alice.get(f"{START}?goal=OpenPullRequest")
        assert "Written as JSON." in page.text
        token = await alice.form(f"{START}?goal=OpenPullRequest")
        fields = {"field-repository": "acme/shop", "field-title": "Say hello"}
        answers = [
            await alice.post(START, form=token, **fields, **{"field-files": files})
            for files in ("[{", '{"path": "a"}', "[" * 5000, '[{"path": "a", "content": "b"}]')
        ]
        for goal, _ in console.goals.started:
            await console.house.client.get_workflow_handle(goal).terminate()
    assert [one.status_code for one in answers] == [422, 422, 422, 200]
    assert "is not JSON" in answers[0].text
    assert len(console.goals.started) == 1


async def test_a_goal_that_the_phase_does_not_allow_is_said_so(console: Console) -> None:
    async with console.visit("alice") as alice:
        assert "not in this phase" not in (await alice.get("/goals")).text
        console.house.path.write_text(console.house.path.read_text().replace("phase: production", "phase: read_only"))
        assert (await alice.get("/goals")).text.count("not in this phase") == sum(
            goal.effect is not Effect.READ for goal in GOALS
        )
        assert "will refuse" in (await alice.get(f"{START}?goal=DeleteBranch")).text
        assert "will refuse" not in (await alice.get(f"{START}?goal=ReadFile")).text


async def test_a_link_starts_nothing(console: Console) -> None:
    async with console.visit("alice") as alice:
        token = await alice.form(f"{START}?goal=ReadFile")
        await alice.get(f"{START}?goal=ReadFile&form={token}&field-repository=acme/shop&field-path=README.md")
        forged = await alice.hands.post(START, data={"form": token}, headers={"Origin": "https://evil.test"})
    assert (forged.status_code, console.goals.started) == (403, [])


async def test_every_page_tells_environment_and_phase(console: Console) -> None:
    async with console.visit("alice") as alice:
        for path in ("/", "/decided", "/goals"):
            page = await alice.get(path)
            assert (
                '<b>live</b> <span class="sub">Phase</span> <span class="tag phase-production">production</span>'
                in page.text
            )
        console.house.path.write_text(console.house.path.read_text().replace("phase: production", "phase: read_only"))
        assert "phase-read_only" in (await alice.get("/")).text
        console.house.path.write_text("broken")
        assert (await alice.get("/")).status_code == 503
