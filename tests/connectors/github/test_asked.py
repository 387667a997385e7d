"""What the client makes of issues, diffs and reviews, each answer of the twin's as GitHub describes it."""

import httpx

from connectors.github.reviews import LineComment
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import Shop, git

PERMISSIONS = {"contents": "write", "pull_requests": "write", "issues": "write", "metadata": "read"}


async def test_every_answer_is_as_github_describes_it(twin: Served, shop: Shop) -> None:
    git("update-ref", "refs/heads/asked-of", shop.feature, at=shop.bare)  # the fixture judges every exchange
    async with twin.github().session(twin.credentials, repository="acme/shop", permissions=PERMISSIONS) as session:
        about = await session.asked.about()
        assert (about.private, about.default_branch) == (True, "main")
        pull = await session.writes.open_pull_request("asked-of", base="main", title="A cart", body="B")
        bearer = {"Authorization": f"Bearer {twin.recorder.bearers[-1]}"}
        number = _opened(twin.hands.post("/repos/acme/shop/issues", json={"title": "It burns"}, headers=bearer))
        issue = await session.asked.issue(number)
        assert (issue.title, issue.body, issue.pull_request) == ("It burns", None, None)
        assert number == pull.number + 1
        assert (await session.asked.issue(pull.number)).pull_request is not None
        assert (await session.asked.pull(pull.number)).body == "B"
        files, more = await session.asked.files(pull.number)
        assert ([(one.filename, one.status) for one in files], more) == ([("README.md", "modified")], False)
        line = LineComment(path="README.md", line=1, body="Why?")
        said = {"commit": shop.feature, "body": "Fine.", "comments": [line], "key": "goal-1"}
        made = await session.reviews.comment(pull.number, **said)  # pyright: ignore[reportArgumentType] - as named
        assert await session.reviews.comment(pull.number, **said) == made  # pyright: ignore[reportArgumentType]
        assert await session.pulls.reviews(pull.number) == []  # one that only comments is nobody's verdict


def _opened(answer: httpx.Response) -> int:
    assert answer.status_code == 201, answer.text
    return int(answer.json()["number"])
