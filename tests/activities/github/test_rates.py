"""The step that asks what GitHub lets each installation ask for, run as Temporal runs it, against the twin."""

from activities.github.rates_contracts import FIND_RATES, FindRatesRequest
from tests.activities.github.at_work import House, at_work


async def test_what_is_left_is_told_by_the_credential_that_reads(house: House) -> None:
    found = await at_work(FIND_RATES.name).run(house.rates.find_rates, FindRatesRequest())
    rates = {one.account: one for one in found.installations}
    assert rates["acme"].limit is not None
    assert rates["acme"].remaining is not None
    assert house.actions == ["github-read"]
    assert house.twin.live_tokens == 0
