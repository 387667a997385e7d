"""A security key in software: what a browser and a key would bring, right or wrong."""

import hashlib
import json
import secrets
from datetime import datetime

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from hitl.approval.decision import StepUp
from hitl.approval.step_up import Confirms, encoded

USER_PRESENT, USER_VERIFIED = 0x01, 0x04


class SoftKey:
    """One credential of one person."""

    def __init__(self, host: str = "localhost") -> None:
        self.host = host
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.id = encoded(secrets.token_bytes(16))
        self.count = 0

    @property
    def public_key(self) -> str:
        """In COSE, as the policy file has it."""
        numbers = self.private.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        return encoded(cbor2.dumps(cose))

    def line(self) -> str:
        """Its entry in the policy file."""
        return f'{{id: "{self.id}", public_key: "{self.public_key}", host: {self.host}}}'

    def answer(
        self,
        challenge: str,
        *,
        origin: str = "http://localhost:8320",
        host: str | None = None,
        flags: int = USER_PRESENT | USER_VERIFIED,
        kind: str = "webauthn.get",
    ) -> dict[str, object]:
        """What `navigator.credentials.get` brings."""
        self.count += 1
        client = json.dumps({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()
        data = hashlib.sha256((host or self.host).encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")
        signature = self.private.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": encoded(client),
            "authenticatorData": encoded(data),
            "signature": encoded(signature),
        }
        return {"id": self.id, "rawId": self.id, "type": "public-key", "response": response}

    def confirm(self, of: Confirms, at: datetime, *, nonce: str | None = None, **wrong: object) -> StepUp:
        """A confirmation, as it is signed into a decision."""
        nonce = nonce or secrets.token_hex(16)
        brought = self.answer(encoded(of.challenge(nonce, at)), **wrong)  # pyright: ignore[reportArgumentType]
        response = brought["response"]
        assert isinstance(response, dict)
        return StepUp(
            method="webauthn",
            credential=self.id,
            nonce=nonce,
            asked_at=at,
            authenticator_data=str(response["authenticatorData"]),
            client_data=str(response["clientDataJSON"]),
            signature=str(response["signature"]),
        )
