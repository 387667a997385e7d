"""Lists in pages: each way to the next one, and lists that do not end."""

import httpx
import pytest

from connectors.errors import MalformedAnswer
from connectors.http import Call, by_cursor, by_link, by_number, pages
from connectors.http.pages import Following
from tests.connectors.http.boxes import LIST_BOXES, Asked, Boxes

FIRST = Call(LIST_BOXES, "the boxes", query={"size": "2"})


def numbered(request: httpx.Request) -> httpx.Response:
    """Five boxes in pages of two, each page with all ways to the next one."""
    number = int(request.url.params.get("page", "1"))
    ids = [{"id": str(one)} for one in range(5)[2 * number - 2 : 2 * number]]
    after = f'<https://elsewhere.example.com/x?page={number + 1}&size=2>; rel="next"' if number < 3 else ""
    return httpx.Response(
        200, json={"boxes": ids, "cursor": str(number + 1) if number < 3 else ""}, headers={"Link": after}
    )


async def read(asked: Asked, following: Following[Boxes], *, most: int = 10) -> list[str]:
    found = pages(asked.session(), FIRST, following, most=most)
    return [box.id async for page in found for box in page.boxes]


WAYS: list[Following[Boxes]] = [
    by_cursor(lambda page: page.cursor, parameter="page"),
    by_number(lambda page: len(page.boxes) == 2),
    by_link,
]


@pytest.mark.parametrize("following", WAYS)
async def test_all_pages_are_read_once_and_from_one_host(following: Following[Boxes]) -> None:
    asked = Asked(numbered)
    assert await read(asked, following) == ["0", "1", "2", "3", "4"]
    assert [one.url.params.get("page") for one in asked.requests] == [None, "2", "3"]
    assert {(one.url.host, one.url.path, one.url.params["size"]) for one in asked.requests} == {
        ("boxes.example.com", "/v1/boxes", "2")
    }


async def test_no_page_is_asked_for_before_it_is_wanted() -> None:
    asked = Asked(numbered)
    async for _ in pages(asked.session(), FIRST, by_link):
        break
    assert len(asked.requests) == 1


async def test_a_list_of_a_thousand_pages_is_read_and_one_of_more_is_not() -> None:
    def endless(request: httpx.Request) -> httpx.Response:
        after = int(request.url.params.get("cursor", "0")) + 1
        return httpx.Response(200, json={"boxes": [{"id": "x"}], "cursor": "" if after == 1_000 else str(after)})

    asked = Asked(endless)
    assert len(await read(asked, by_cursor(lambda page: page.cursor), most=1_000)) == 1_000
    with pytest.raises(MalformedAnswer, match="more than 999 pages"):
        await read(asked, by_cursor(lambda page: page.cursor), most=999)


async def test_a_page_that_leads_back_to_itself_ends_the_list_with_an_error() -> None:
    asked = Asked(lambda _: httpx.Response(200, json={"boxes": [], "cursor": "same"}))
    with pytest.raises(MalformedAnswer, match="leads back"):
        await read(asked, by_cursor(lambda page: page.cursor))
    assert len(asked.requests) == 2
