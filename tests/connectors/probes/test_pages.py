"""What a look at a page finds, and where no look goes, whatever the page or its name does."""

import gzip
import threading
from collections.abc import Collection, Iterator
from ipaddress import ip_address

import pytest

from connectors.errors import InvalidRequest
from connectors.probes.hosts import Address, Hosts
from connectors.probes.pages import MOST_BYTES, Answer, Pages, Wanted
from tests.connectors.probes.pages import Service, serving

NAME = "shop.internal"
OK = Wanted(status={200})


class Names:
    """A resolver that says what a test wants, something else each time where it is told so."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), 0

    async def __call__(self, host: str, port: int) -> Collection[Address]:
        del host, port
        said = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if not said:
            raise OSError("no such name")
        return [ip_address(one) for one in said.split()]


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Service()) as found:
        yield found


async def look(service: Service, wanted: Wanted = OK, *, path: str = "/healthz", names: Names | None = None) -> Answer:
    pages = Pages(Hosts((f"{NAME}:{service.port}",)), resolve=names or Names("127.0.0.1"))
    return await pages.look(f"http://{NAME}:{service.port}{path}", wanted)


async def test_a_page_that_answers_is_healthy_and_is_asked_once_without_a_credential(service: Service) -> None:
    found = await look(service, Wanted(status={200, 204}, contains="is well"), path="/healthz?deep=1")
    assert (found.why, found.status) == ("", 200)
    ((path, headers),) = service.asked
    assert path == "/healthz?deep=1"
    assert headers["host"] == f"{NAME}:{service.port}"
    assert not {"authorization", "cookie", "proxy-authorization"} & set(headers)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Wanted(status={204}), "answers 200, and not 204"),
        (Wanted(status={200}, contains="is broken"), "do not contain"),
    ],
)
async def test_another_status_or_body_is_told_in_our_words(service: Service, wanted: Wanted, why: str) -> None:
    service.body = b"<script>evil</script>"
    found = await look(service, wanted)
    assert why in found.why
    assert "evil" not in found.why


async def test_a_redirection_is_a_status_and_is_followed_nowhere(service: Service) -> None:
    with serving(Service()) as elsewhere:
        service.status, service.headers = 302, {"Location": f"http://127.0.0.1:{elsewhere.port}/latest/meta-data"}
        found = await look(service)
        assert "answers 302, which is not followed" in found.why
        assert not (await look(service, Wanted(status={302}))).why
    assert elsewhere.asked == []


async def test_no_more_of_a_body_is_read_than_a_mebibyte(service: Service) -> None:
    service.body = b"x" * (MOST_BYTES * 4) + b"needle"
    found = await look(service, Wanted(status={200}, contains="needle"))
    assert f"the first {MOST_BYTES} bytes" in found.why
    service.body = b"x" * (MOST_BYTES - 6) + b"needle" + b"x" * MOST_BYTES
    assert not (await look(service, Wanted(status={200}, contains="needle"))).why


async def test_a_body_that_unpacks_into_much_is_not_unpacked(service: Service) -> None:
    service.body, service.headers = gzip.compress(b"needle" + bytes(50 * MOST_BYTES)), {"Content-Encoding": "gzip"}
    assert "compressed" in (await look(service, Wanted(status={200}, contains="needle"))).why


async def test_a_page_that_hangs_is_waited_for_no_longer_than_asked(service: Service) -> None:
    service.hangs = threading.Event()
    found = await look(service, Wanted(status={200}, seconds=0.3))
    assert (found.status, found.why) == (None, "nothing came within 0.3 s")


async def test_nobody_and_no_name_are_results(service: Service) -> None:
    assert "not known" in (await look(service, names=Names(""))).why
    with serving(Service()) as gone:
        pass
    assert "nobody listens" in (await look(gone)).why


async def test_of_several_addresses_the_one_at_which_somebody_listens_is_asked(service: Service) -> None:
    assert not (await look(service, names=Names("127.9.9.9 127.0.0.1"))).why


async def test_a_name_that_is_another_address_a_moment_later_leads_nowhere_else(service: Service) -> None:
    names = Names("127.0.0.1", "169.254.169.254")
    assert not (await look(service, names=names)).why
    assert names.asked == 1  # the connection goes to what was looked at
    with pytest.raises(InvalidRequest, match=r"169\.254\.169\.254"):
        await look(service, names=names)
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fe80::1", "fd00:ec2::254", "0.0.0.7", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
     "100.100.100.200", "224.0.0.1", "2002:a9fe:a9fe::1"],
)  # fmt: skip
async def test_what_gives_machines_credentials_is_never_asked_however_it_is_listed(address: str) -> None:
    pages = Pages(Hosts((NAME, "169.254.169.254", "[fd00:ec2::254]")), resolve=Names(address))
    with pytest.raises(InvalidRequest, match="lets no goal look"):
        await pages.look(f"http://{NAME}/", OK)
    for literal in ("169.254.169.254", "[fd00:ec2::254]"):
        with pytest.raises(InvalidRequest, match="lets no goal look"):
            await pages.look(f"http://{literal}/latest", OK)


@pytest.mark.parametrize("addresses", ["10.0.0.7", "127.0.0.1", "192.168.1.1", "::1", "8.8.8.8 10.0.0.7", "100.64.0.1"])
async def test_a_host_that_only_a_star_means_is_asked_at_public_addresses_alone(addresses: str) -> None:
    pages = Pages(Hosts(("*.example.com",)), resolve=Names(addresses))
    with pytest.raises(InvalidRequest, match="lets no goal look"):
        await pages.look("http://shop.example.com/", OK)


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example.org/",
        "http://example.com/",
        "http://shop.example.com.evil.org/",
        "http://shop.example.com:8080/",
        "http://user:canary@shop.example.com/",
        "http://shop.example.com@evil.org/",
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://localhost/",
        "http://[::1]/",
        "ftp://shop.example.com/",
        "file:///etc/passwd",
        "//shop.example.com/",
        "http://shop.example.com/#x",
        "http:///x",
        "http://evil.org\\@shop.example.com/",
        "http://[",
        "",
    ],
)
async def test_what_is_not_listed_is_not_even_resolved(url: str) -> None:
    names = Names("127.0.0.1")
    with pytest.raises(InvalidRequest) as refused:
        await Pages(Hosts(("*.example.com",)), resolve=names).look(url, OK)
    assert names.asked == 0
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://SHOP.Example.com./", "https://a.b.example.com:443/x", "http://shop.example.com:80"]
)
async def test_what_is_listed_may_be_written_in_other_ways(url: str) -> None:
    names = Names("")
    assert "not known" in (await Pages(Hosts(("*.example.com",)), resolve=names).look(url, OK)).why
    assert names.asked == 1


@pytest.mark.parametrize(
    "pattern", ["*", "*.", "http://x.y", "x y", "a/b", "user@x.y", "shop.example.com:0", "Shop.x", ""]
)
def test_a_pattern_that_is_none_is_refused_when_the_process_starts(pattern: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        Hosts((pattern,))
