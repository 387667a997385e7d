"""Confirming with a key of one's own: what the page asks the browser for, and what it brings back."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hitl.approval.decision import StepUp
from hitl.approval.step_up import Confirms, NotConfirmed, confirmed, encoded, origin_of
from hitl.approval.together import wants_key
from hitl.console.access.key_uses import KeyUses, UsedBefore
from hitl.console.access.tokens import Form
from hitl.console.access.visitors import Visitor
from hitl.console.ports import ApprovalRow, ShownApproval
from hitl.console.settings import ConsoleSettings
from hitl.gateway.decisions import PolicyInForce
from hitl.policy.together import rule_for
from hitl.protocol import Refusal

FIELD: Final = "confirmation"


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    authenticator_data: str = Field(alias="authenticatorData")
    client_data: str = Field(alias="clientDataJSON")
    signature: str


class _Brought(BaseModel):
    """What a browser's `PublicKeyCredential` says of itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    response: _Response


@dataclass(frozen=True, kw_only=True)
class AskedFor:
    """What the page asks the browser for.

    Attributes:
        keys: Ids of those that the policy has for the person at this console; empty where it has none.
    """

    challenge: str
    host: str
    keys: tuple[str, ...]


class Confirming:
    """Challenges and their answers. It keeps nothing: the form that goes with a challenge has all of it, signed."""

    def __init__(self, settings: ConsoleSettings, policy: PolicyInForce, uses: KeyUses) -> None:
        self._settings = settings
        self._policy = policy
        self._uses = uses

    def wants_key(self, row: ApprovalRow, visitor: Visitor) -> bool:
        """Whether a yes of this visitor to it takes a key, by the policy in force."""
        if row.plan is None or row.view is None:
            return False
        policy = self._policy.current()
        rule = rule_for(policy, self._policy.environment, plan=row.plan, path=row.view.path)
        return not isinstance(rule, Refusal) and wants_key(rule, visitor.person, policy.people)

    def asking(self, form: Form, shown: ShownApproval) -> Form:
        """The same form, which goes with a challenge."""
        return form.model_copy(update={"run": shown.row.run_id, "nonce": secrets.token_hex(16)})

    def asked(self, form: Form, visitor: Visitor) -> AskedFor:
        """What the browser is asked for."""
        keys = self._policy.current().people.keys.get(visitor.person, ())
        return AskedFor(
            challenge=encoded(_confirms(form, visitor).challenge(form.nonce, form.at)),
            host=self._settings.host,
            keys=tuple(one.id for one in keys if one.host == self._settings.host),
        )

    async def answered(self, form: Form, visitor: Visitor, fields: Mapping[str, str]) -> StepUp | None:
        """The confirmation that came back with a form; None where the form asked for none.

        Raises:
            NotConfirmed: It is none of this, or was used before.
            Unavailable: Nobody can say now.
        """
        if not form.nonce:
            return None
        step_up = _step_up(form, fields.get(FIELD, ""))
        of, keys = _confirms(form, visitor), self._policy.current().people.keys.get(visitor.person, ())
        found = confirmed(step_up, of, keys=keys, decided_at=datetime.now(UTC))
        if origin_of(step_up) != self._settings.origin:
            raise NotConfirmed("it was confirmed on a page of another place")
        try:
            challenge = of.challenge(form.nonce, form.at).hex()
            await self._uses.use(step_up.credential, count=found.new_sign_count, challenge=challenge)
        except UsedBefore as error:
            raise NotConfirmed(str(error)) from error
        return step_up


def _confirms(form: Form, visitor: Visitor) -> Confirms:
    return Confirms(approval_id=form.about, approval_run_id=form.run, plan_digest=form.digest, person=visitor.person)


def _step_up(form: Form, text: str) -> StepUp:
    try:
        brought = _Brought.model_validate_json(text)
        return StepUp(
            method="webauthn",
            credential=brought.id,
            nonce=form.nonce,
            asked_at=form.at,
            authenticator_data=brought.response.authenticator_data,
            client_data=brought.response.client_data,
            signature=brought.response.signature,
        )
    except ValidationError as error:
        raise NotConfirmed("the browser brought no confirmation") from error
