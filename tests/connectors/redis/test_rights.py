"""What a consumer's rights are written as."""

import pytest

from connectors.redis.rights import Access, rule


def test_rights_are_of_the_prefix_alone() -> None:
    assert rule("session:", Access.READ) == "+@read +@connection -@dangerous -scan -randomkey ~session:*"
    assert rule("session:", Access.WRITE).startswith("+@read +@write +@connection -@dangerous")


@pytest.mark.parametrize("prefix", ["", "*", "a*", "a b", "a ~*", "[ab]", "a?", "-@all", "a\n~*"])
def test_a_prefix_that_means_more_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="no beginning of keys"):
        rule(prefix, Access.READ)
