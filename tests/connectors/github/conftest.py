"""A twin over real repositories; every exchange with it is held against GitHub's published description."""

import contextlib
from collections.abc import Iterator
from typing import Protocol

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from connectors.github.twin.app import TwinConfig, create_twin
from tests.connectors.github.description import description
from tests.connectors.github.recorded import Served, served
from tests.connectors.github.shop import Shop, build

CLIENT_ID = "Iv23liTestsOfTheTwin"


class MakeTwin(Protocol):
    """Starts one more twin over the same repositories; it ends with the fixture."""

    def __call__(self, **overrides: object) -> Served: ...


@pytest.fixture(scope="session")
def app_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return build(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def make_session_twin(app_key: rsa.RSAPrivateKey, shop: Shop) -> Iterator[MakeTwin]:
    with contextlib.ExitStack() as stack:
        yield _maker(app_key, shop, stack)


@pytest.fixture
def make_twin(app_key: rsa.RSAPrivateKey, shop: Shop) -> Iterator[MakeTwin]:
    with contextlib.ExitStack() as stack:
        yield _maker(app_key, shop, stack)


@pytest.fixture(scope="session")
def running_twin(make_session_twin: MakeTwin) -> Served:
    return make_session_twin(limits=dict.fromkeys(("hourly", "points", "content_minute", "content_hour"), 10**6))


@pytest.fixture
def twin(running_twin: Served) -> Iterator[Served]:
    """A twin whose answers must all be as described, unless the test planted a fault."""
    running_twin.forget()
    yield running_twin
    judge = description()
    if judge is None or running_twin.recorder.faulty:
        return
    assert [problem for one in running_twin.recorder.judged() for problem in judge.problems(one)] == []


def _maker(app_key: rsa.RSAPrivateKey, shop: Shop, stack: contextlib.ExitStack) -> MakeTwin:
    pem = app_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = app_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    fixed = {"repositories": shop.repositories, "client_id": CLIENT_ID, "public_key": public.decode()}

    def make(**overrides: object) -> Served:
        app = create_twin(TwinConfig.model_validate({**fixed, **overrides}))
        return stack.enter_context(served(app, client_id=CLIENT_ID, private_key=SecretStr(pem.decode())))

    return make
