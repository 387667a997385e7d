"""A quota that is used up is named in the next step, in the provider's own words; other errors are no quota."""

import pytest

from connectors.pulumi.outcome import Ended, UpOutcome


@pytest.mark.parametrize(
    "said",
    [
        'PostgreSQL refuses: pq: too many connections for role "shop"',
        "VpcLimitExceeded: The maximum number of VPCs has been reached.",
        "ServiceQuotaExceededException: You have reached the quota of functions",
        "googleapi: Error 403: Quota 'CPUS' exceeded. Limit: 24.0 in region europe-west1., quotaExceeded",
        "rpc error: code = ResourceExhausted desc = out of addresses",
        "Operation could not be completed as it results in exceeding approved Total Regional Cores limit.",
        "ThrottlingException: Rate exceeded",
        "write /data/x: no space left on device",
    ],
)
def test_a_quota_is_named_as_the_provider_says_it(said: str) -> None:
    outcome = UpOutcome(ended=Ended.PARTIALLY_APPLIED, errors=("update failed", f"creating it:\n  {said}\nsee above"))
    assert outcome.limit == said
    assert outcome.next_step.startswith(f"A quota or limit is used up ({said}): raise it")
    assert outcome.next_step.endswith("Or roll back to an earlier deployment.")


@pytest.mark.parametrize(
    "said",
    [
        "RecursionError: maximum recursion depth exceeded",
        'PostgreSQL refuses: pq: permission denied to create database "shop"',
        "context deadline exceeded",
    ],
)
def test_what_is_no_quota_is_not_called_one(said: str) -> None:
    outcome = UpOutcome(ended=Ended.PARTIALLY_APPLIED, errors=(said,))
    assert outcome.limit == ""
    assert outcome.next_step.startswith("The state holds what was done.")


def test_a_long_or_hidden_message_is_one_short_line() -> None:
    outcome = UpOutcome(ended=Ended.REFUSED, errors=("quota \u202e" + "x" * 5000,))
    assert "\\u202e" in outcome.limit
    assert len(outcome.next_step) < 600


def test_nothing_is_asked_for_after_an_update_that_was_applied() -> None:
    assert UpOutcome(ended=Ended.APPLIED, errors=("quota",)).next_step == "Nothing is to be done."
