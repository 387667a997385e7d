"""Who reaches what opens Redis databases, by Vault's policies."""

import pytest

from deploy.vault.rights import rights

MADE = ("upstash", "rediscloud")


@pytest.mark.parametrize("system", MADE)
def test_who_writes_logins_cannot_read_them(system: str) -> None:
    path = f"banksman/data/{system}/databases/+/+"
    writes = {
        (name, one.may)
        for name, policy in rights().items()
        for one in policy.rights
        if one.path == path and one.may != ("read",)
    }
    assert writes == {(f"step-{system}-grant", ("create", "update"))}


@pytest.mark.parametrize("system", MADE)
def test_logins_are_read_by_the_step_that_checks_them_alone(system: str) -> None:
    path = f"banksman/data/{system}/databases/+/+"
    reads = {
        name for name, policy in rights().items() for one in policy.rights if one.path == path and "read" in one.may
    }
    assert reads == {f"step-{system}-check"}


@pytest.mark.parametrize("system", MADE)
def test_keys_that_buy_and_delete_are_the_destructive_workers_alone(system: str) -> None:
    for action in ("purchase", "delete"):
        makes = {
            name
            for name, policy in rights().items()
            for one in policy.rights
            if one.path == f"auth/token/create/{system}-{action}"
        }
        assert makes == {"destructive"}
