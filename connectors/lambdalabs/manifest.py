"""Lambda Labs, as one account with two keys: one for what the policy lets goals do, and one for what people approved.

Lambda's keys know no rights, so what is kept apart is who reaches which key.
"""

from typing import Final

from connectors.limits import Rate
from connectors.provider import AccountRate, Credential, Provider, Secret, Twin

KEY: Final = Secret(path="lambdalabs/key", holds="the API key that looks, launches what the policy lets, and ends it")
BUYING_KEY: Final = Secret(
    path="lambdalabs/buying-key", holds="the API key that launches what people approved", destroys=True
)
SSH_KEY: Final = Secret(path="lambdalabs/ssh/+", holds="the SSH key that opens a machine, by its mark")
READ: Final = Credential(name="lambdalabs-read", secret=KEY, purpose="reads at Lambda Labs")
LAUNCH: Final = Credential(name="lambdalabs-launch", secret=KEY, purpose="launches at Lambda Labs")
CHANGE: Final = Credential(name="lambdalabs-change", secret=KEY, purpose="restarts and renames at Lambda Labs")
KEEP: Final = Credential(
    name="lambdalabs-keep",
    secret=KEY,
    purpose="makes the SSH key of a machine at Lambda Labs, or ends both",
    keeps=(SSH_KEY,),
    forgets=(SSH_KEY,),
)
BUY: Final = Credential(
    name="lambdalabs-buy", secret=BUYING_KEY, purpose="launches at Lambda Labs what people approved"
)

ACCOUNT_RATE: Final = Rate(per_second=0.9)
LAUNCH_RATE: Final = Rate(per_second=1 / 13)
"""A little slower than Lambda takes them: two requests come nearer to each other on their way than they were sent."""
LAMBDA_LABS: Final = Provider(
    name="lambdalabs",
    title="Lambda Labs",
    url="https://cloud.lambda.ai/api/v1",
    credentials=(READ, LAUNCH, CHANGE, KEEP, BUY),
    twin=Twin(port=8309),
    rates=(AccountRate(of="requests", rate=ACCOUNT_RATE), AccountRate(of="launches", rate=LAUNCH_RATE)),
)
