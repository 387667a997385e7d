"""GitHub's twin over real git, once for all tests of steps; each test finds it as if nothing had been asked yet."""

from collections.abc import Iterator
from typing import Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from connectors.artifacts import ArtifactStore
from connectors.github.twin.app import TwinConfig, create_twin
from connectors.github.twin.limits import Limits
from tests.activities.github.at_work import House
from tests.connectors.github.recorded import Served, served
from tests.connectors.github.shop import Shop, build, git

CLIENT_ID = "Iv23liTestsOfTheSteps"
_SOON: Final = 0.02
"""Seconds. A twin is done at once."""


@pytest.fixture(autouse=True)
def looks_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps look sooner whether a provider is done: how often they look stays, and what they do."""
    monkeypatch.setattr("connectors.neon.client._PAUSE", _SOON)
    monkeypatch.setattr("connectors.rediscloud.tasks._FIRST_PAUSE", _SOON)


@pytest.fixture(scope="session")
def steps_shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return build(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def steps_twin(steps_shop: Shop) -> Iterator[Served]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    config = TwinConfig(
        repositories=steps_shop.repositories,
        client_id=CLIENT_ID,
        public_key=public.decode(),
        limits=Limits(hourly=10**6, points=10**6, content_minute=10**6, content_hour=10**6),
        collaborators={"acme/shop": {"Dana": "maintain", "tim": "triage"}, "acme/other": {"olga": "admin"}},
    )
    with served(create_twin(config), client_id=CLIENT_ID, private_key=SecretStr(pem.decode())) as twin:
        yield twin


@pytest.fixture
def house(steps_twin: Served, steps_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    steps_twin.forget()
    yield House(steps_twin, steps_shop, ArtifactStore(str(tmp_path_factory.mktemp("artifacts"))))
    for name in git("for-each-ref", "--format=%(refname)", "refs/heads/banksman", at=steps_shop.bare).split():
        git("update-ref", "-d", name, at=steps_shop.bare)
    if not steps_twin.recorder.faulty:
        assert steps_twin.live_tokens == 0, "a step ended and left its installation token"
