"""What the client makes of a collaborator's permission, each answer of the twin's as GitHub describes it."""

import pytest

from connectors.errors import InvalidRequest
from tests.connectors.github.conftest import MakeTwin
from tests.connectors.github.description import description

PEOPLE = {"acme/shop": {"Dana": "maintain", "tim": "triage", "helper[bot]": "write"}, "acme/other": {"olga": "admin"}}


async def test_each_role_counts_as_github_counts_it_and_a_stranger_has_none(make_twin: MakeTwin) -> None:
    twin = make_twin(collaborators=PEOPLE)
    async with twin.github().session(
        twin.credentials, repository="acme/shop", permissions={"metadata": "read"}
    ) as session:
        found = {
            who: await session.people.permission(who) for who in ("dana", "TIM", "olga", "helper[bot]", "nobody-there")
        }
    told = {who: (one.permission, one.role_name) if one else None for who, one in found.items()}
    assert told == {
        "dana": ("write", "maintain"),
        "TIM": ("read", "triage"),
        "olga": ("none", "none"),
        "helper[bot]": ("write", "write"),
        "nobody-there": None,
    }
    judge = description()
    if judge is not None:
        assert [said for one in twin.recorder.judged() for said in judge.problems(one)] == []


@pytest.mark.parametrize("login", ["", "../../other", "a/b", "a b", "dana\n", "dana?x=1", "-dana", "x" * 101])
async def test_what_is_no_login_is_never_asked_for(make_twin: MakeTwin, login: str) -> None:
    twin = make_twin(collaborators=PEOPLE)
    async with twin.github().session(
        twin.credentials, repository="acme/shop", permissions={"metadata": "read"}
    ) as session:
        with pytest.raises(InvalidRequest, match="is no name of an account"):
            await session.people.permission(login)
    assert not [one for one in twin.recorder.lines() if "collaborators" in one]
