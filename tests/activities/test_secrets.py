"""Where a step keeps what it made."""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import timedelta

import pytest
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.secrets import Kept, keeper_for_step, secret_for_step
from connectors.provider import Credential, Secret

KEY = Secret(path="shop/key", holds="the key")
LOGINS = Secret(path="shop/logins/+/+", holds="logins")
ISSUE = Credential(name="shop-issue", secret=KEY, purpose="issues logins", keeps=(LOGINS,))
REMOVE = dataclasses.replace(ISSUE, name="shop-remove", forgets=(LOGINS,))
CHECK = Credential(name="shop-check", secret=LOGINS, purpose="checks a login")
NAMES = ("id-1", "shop-web")


class Vault:
    """Tokens of a shop, and what they wrote."""

    def __init__(self) -> None:
        self.kept: dict[str, Mapping[str, SecretStr]] = {"shop/key": {"key": SecretStr("own-canary")}}
        self.made: list[tuple[str, Mapping[str, str]]] = []

    @contextlib.asynccontextmanager
    async def step(self, action: str, *, metadata: Mapping[str, str], ttl: timedelta) -> AsyncGenerator["Vault"]:
        assert ttl > timedelta(minutes=1)
        self.made.append((action, metadata))
        yield self

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        return self.kept[path]

    async def write(self, path: str, values: Mapping[str, SecretStr]) -> int:
        self.kept[path] = values
        return len(self.kept) - 1

    async def delete(self, path: str) -> None:
        self.kept.pop(path, None)

    async def list(self, path: str) -> list[str]:
        return [last for above, _, last in (one.rpartition("/") for one in self.kept) if above == path]

    def release_soon(self) -> object:
        return None


async def test_a_step_keeps_what_it_made_and_another_reads_it() -> None:
    vault = Vault()
    login = {"password": SecretStr("made-canary")}

    async def making() -> Kept:
        async with keeper_for_step(vault, ISSUE) as keeper:
            assert keeper.fields == {"key": SecretStr("own-canary")}
            return await keeper.keep(LOGINS, login, *NAMES)

    async def checking() -> Mapping[str, SecretStr]:
        async with secret_for_step(vault, CHECK, *NAMES) as fields:
            return fields

    assert await ActivityEnvironment().run(making) == Kept("shop/logins/id-1/shop-web", 1)
    assert await ActivityEnvironment().run(checking) == login
    assert [action for action, _ in vault.made] == ["shop-issue", "shop-check"]
    assert all(metadata["workflow_id"] and metadata["attempt"] == "1" for _, metadata in vault.made)


async def test_a_step_forgets_what_its_credential_says_alone() -> None:
    vault = Vault()

    async def removing(credential: Credential) -> None:
        async with keeper_for_step(vault, credential) as keeper:
            await keeper.keep(LOGINS, {}, *NAMES)
            await keeper.forget(LOGINS, *NAMES)
            await keeper.forget(LOGINS, *NAMES)

    await ActivityEnvironment().run(removing, REMOVE)
    assert list(vault.kept) == ["shop/key"]
    with pytest.raises(TypeError, match=r"'shop-issue' does not forget 'shop/logins/\+/\+'"):
        await ActivityEnvironment().run(removing, ISSUE)


async def test_a_step_forgets_all_of_one_name_and_no_other() -> None:
    vault = Vault()

    async def removing(credential: Credential) -> Sequence[str]:
        async with keeper_for_step(vault, credential) as keeper:
            for names in (NAMES, ("id-1", "shop-jobs"), ("id-2", "shop-web")):
                await keeper.keep(LOGINS, {}, *names)
            return await keeper.forget_all(LOGINS, "id-1")

    assert sorted(await ActivityEnvironment().run(removing, REMOVE)) == ["shop-jobs", "shop-web"]
    assert list(vault.kept) == ["shop/key", "shop/logins/id-2/shop-web"]
    with pytest.raises(TypeError, match=r"'shop-issue' does not forget 'shop/logins/\+/\+'"):
        await ActivityEnvironment().run(removing, ISSUE)


@pytest.mark.parametrize(
    ("secret", "names"), [(LOGINS, ()), (LOGINS, NAMES), (LOGINS, ("+",)), (LOGINS, ("..",)), (KEY, ())]
)
def test_what_lies_below_a_path_is_named_in_full(secret: Secret, names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"are no names for|below a common one"):
        secret.above(*names)


async def test_a_step_keeps_nothing_but_what_its_credential_says() -> None:
    async def making() -> None:
        async with keeper_for_step(Vault(), ISSUE) as keeper:
            await keeper.keep(KEY, {})

    with pytest.raises(TypeError, match="does not keep 'shop/key'"):
        await ActivityEnvironment().run(making)


def test_a_path_has_a_name_for_each_part() -> None:
    assert LOGINS.at(*NAMES) == "shop/logins/id-1/shop-web"
    assert KEY.at() == "shop/key"


@pytest.mark.parametrize(
    "names", [(), ("a",), ("a", "b", "c"), ("a", ""), ("..", "a"), ("a/b", "c"), ("+", "a"), ("a", "b\n"), ("-a", "b")]
)
def test_a_name_that_would_lead_elsewhere_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="are no names for"):
        LOGINS.at(*names)
