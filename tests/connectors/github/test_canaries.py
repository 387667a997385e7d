"""GitHub's own words in an error hold no secret by the time that anybody else reads them."""

from collections.abc import Callable

import pytest

from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import Shop
from tests.security.canaries import ALL, AT_THE_CUT, failing

CONTENTS = "/contents/README.md"
REFUSALS = (400, 401, 403, 404, 409, 410, 412, 422, 429, 500, 502, 503)


async def read_once(twin: Served) -> None:
    async with twin.github().session(
        twin.credentials, repository="acme/shop", permissions={"contents": "read"}
    ) as session:
        await session.read_file("README.md")


@pytest.mark.parametrize("said", [ALL, *AT_THE_CUT], ids=["all", *map(str, map(len, AT_THE_CUT))])
@pytest.mark.parametrize("path", [CONTENTS, "/access_tokens", "/installation$"])
@pytest.mark.parametrize("status", REFUSALS)
async def test_no_field_of_a_refusal(twin: Served, status: int, path: str, said: str) -> None:
    body = {
        "message": said,
        "documentation_url": said,
        "status": said,
        "errors": [{"message": said, "code": said, "field": said, "resource": said, "value": said}],
    }
    twin.plant(kind="status", path=path, status=status, body=body)
    await failing(lambda: read_once(twin))


@pytest.mark.parametrize("body", [ALL, f'{{"message": ["{ALL[:40]}"]}}', f'"{AT_THE_CUT[0]}"'])
async def test_no_answer_of_another_form(twin: Served, body: str) -> None:
    for status in (200, 400, 422):
        twin.plant(kind="status", path=CONTENTS, status=status, body=body)
        await failing(lambda: read_once(twin))


def line(content: str) -> str:
    """One of git's own lines: its length first."""
    return f"{len(content.encode()) + 4:04x}{content}"


def report(*lines: str) -> str:
    """What git answers to a push, on the band for that."""
    return line(f"\x01{''.join(map(line, lines))}0000") + "0000"


async def delete_once(twin: Served, shop: Shop) -> None:
    async def still_wanted() -> None: ...

    async with twin.github().session(
        twin.credentials, repository="acme/shop", permissions={"contents": "write"}
    ) as session:
        await session.delete_branch("feature/cart", expected_head=shop.feature, last_look=still_wanted)


ONE_LINE = ALL.replace("\n", " ")


@pytest.mark.parametrize("said", [ONE_LINE, *AT_THE_CUT], ids=["all", *map(str, map(len, AT_THE_CUT))])
@pytest.mark.parametrize(
    ("answer", "keeps"),
    [
        (
            lambda said: report("unpack ok\n", f"ng refs/heads/feature/cart {said}\n"),
            "GitHub refuses to delete 'feature/cart'",
        ),
        (lambda said: report(f"unpack {said}\n", f"ng refs/heads/feature/cart {said}\n"), ""),
        (lambda said: report("unpack ok\n", f"ng {said}\n"), ""),
        (lambda said: line(f"\x02{said}\n") + report("unpack ok\n", f"ng refs/heads/feature/cart {said}\n"), ""),
        (lambda said: line(f"\x03{said}\n") + "0000", ""),
        (lambda said: line(f"ERR {said}\n"), ""),
        (lambda said: said, ""),
    ],
    ids=["ng", "unpack", "another ref", "told beside it", "fatal", "ERR", "no git at all"],
)
async def test_no_word_of_a_refused_push(
    twin: Served, shop: Shop, said: str, answer: Callable[[str], str], keeps: str
) -> None:
    kind = {"content-type": "application/x-git-receive-pack-result"}
    twin.plant(kind="status", method="POST", path="/git-receive-pack$", status=200, body=answer(said), headers=kind)
    await failing(lambda: delete_once(twin, shop), keeps=keeps)


async def test_no_header(twin: Served) -> None:
    elsewhere = f"http://elsewhere.invalid/?access={AT_THE_CUT[0]}"
    twin.plant(kind="status", path=CONTENTS, status=301, headers={"location": elsewhere})
    await failing(lambda: read_once(twin))
