"""The deployment's policy, for a rehearsal: the same rules and phase, with people who answer at once."""

from pathlib import Path
from typing import Final

from hitl.approval.approvers import Requesters
from hitl.policy.file import load_policy
from hitl.policy.raw import RawApproval, RawEnvironment, RawPolicy
from hitl.policy.yaml import read_document

PEOPLE: Final = {"alice": "U0ALICE", "boris": "U0BORIS", "chika": "U0CHIKA"}
"""Those of Slack's twin, by their names in the policy."""
CHANNEL: Final = "C0DEPLOYS"


def rehearsal_policy(path: Path, *, environment: str, called: str) -> str:
    """The policy file of a rehearsal.

    Whoever approves is one of Slack's twin; how many, who asked and with which key they confirm is not rehearsed.

    Args:
        path: The deployment's.
        environment: The deployment's.
        called: What that environment is called in the rehearsal.

    Raises:
        PolicyError: It cannot be used.
        ValueError: It does not name the environment.
    """
    load_policy(path)
    raw = RawPolicy.model_validate(read_document(path.read_text(encoding="utf-8")).value)
    if environment not in raw.environments:
        known = ", ".join(sorted(raw.environments))
        raise ValueError(f"the policy {str(path)!r} does not name the environment {environment!r}; there are: {known}")
    changed = RawPolicy(
        environments={called: _answered(raw.environments[environment])},
        people={name: [f"slack:{one}"] for name, one in PEOPLE.items()},
        groups={name: [*PEOPLE] for name in raw.groups},
    )
    return changed.model_dump_json(indent=2, exclude_none=True)


def _answered(environment: RawEnvironment) -> RawEnvironment:
    approvals = [_by_anybody(one) for one in environment.approvals]
    return environment.model_copy(update={"approvals": approvals, "slack_channel": CHANNEL})


def _by_anybody(rule: RawApproval) -> RawApproval:
    return rule.model_copy(update={"quorum": 1, "unverified_requester": Requesters.ALLOW, "step_up": None})
