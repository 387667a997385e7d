"""What the relay does not start without."""

from pathlib import Path

import pytest

from tests.connectors.served.tunnelled import tls_of
from workers.process import CannotStart
from workers.relaying import relay_places
from workers.settings import Settings


def settings(**given: object) -> Settings:
    return Settings.model_validate(given)


def test_it_listens_where_it_is_told(tmp_path: Path) -> None:
    tls_of(tmp_path)
    given = settings(
        relay_certificate=tmp_path / "relay.pem", relay_key=tmp_path / "relay.key", relay_machines="[::]:9443"
    )
    places = relay_places(given)
    assert (places.machines, places.askers) == (("::", 9443), ("127.0.0.1", 8444))


def test_without_a_certificate_it_says_what_to_set() -> None:
    with pytest.raises(CannotStart, match="set BANKSMAN_RELAY_CERTIFICATE and BANKSMAN_RELAY_KEY"):
        relay_places(settings())


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "relay.pem").write_text("nothing")
    with pytest.raises(CannotStart, match=r"relay\.pem.* cannot be used"):
        relay_places(settings(relay_certificate=tmp_path / "relay.pem", relay_key=tmp_path / "relay.pem"))


@pytest.mark.parametrize("listen", ["8443", "host:", ":8443", "host:x"])
def test_an_address_that_is_none_is_named(tmp_path: Path, listen: str) -> None:
    tls_of(tmp_path)
    given = settings(relay_certificate=tmp_path / "relay.pem", relay_key=tmp_path / "relay.key", relay_machines=listen)
    with pytest.raises(CannotStart, match=r"BANKSMAN_RELAY_MACHINES is .* write HOST:PORT"):
        relay_places(given)
