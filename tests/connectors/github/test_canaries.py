"""GitHub's own words in an error hold no secret by the time that anybody else reads them."""

import pytest

from tests.connectors.github.recorded import Served
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


async def test_no_header(twin: Served) -> None:
    elsewhere = f"http://elsewhere.invalid/?access={AT_THE_CUT[0]}"
    twin.plant(kind="status", path=CONTENTS, status=301, headers={"location": elsewhere})
    await failing(lambda: read_once(twin))
