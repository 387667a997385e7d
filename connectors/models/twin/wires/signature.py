"""Looks at the signature of a request as AWS does: version 4, made anew with the secret that the twin knows."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from starlette.requests import Request

_FORM: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, "
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)
_REQUIRED: Final = frozenset({"host", "x-amz-date"})


class NotSigned(Exception):
    """The request is not signed, or not by the one key.

    Args:
        code: AWS's.
        message: Its words.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True, kw_only=True)
class Signer:
    """The one key.

    Attributes:
        access_key: Its id.
        secret_key: Its secret.
        region: Where it may be used.
        service: For what.
    """

    access_key: str
    secret_key: str
    region: str
    service: str

    def require(self, request: Request, body: bytes) -> None:
        """Look at a request.

        Raises:
            NotSigned: It is not signed, or not so.
        """
        given = request.headers.get("authorization", "")
        if not given:
            raise NotSigned("MissingAuthenticationTokenException", "Missing Authentication Token")
        if (found := _FORM.fullmatch(given)) is None:
            raise NotSigned("IncompleteSignatureException", "Authorization header requires 'Signature' parameter.")
        if found["key"] != self.access_key:
            raise NotSigned("UnrecognizedClientException", "The security token included in the request is invalid.")
        if (found["region"], found["service"]) != (self.region, self.service):
            raise NotSigned(
                "InvalidSignatureException", f"Credential should be scoped to {self.region}/{self.service}."
            )
        names = found["headers"].split(";")
        if not {*names} >= _REQUIRED:
            raise NotSigned("InvalidSignatureException", "host and x-amz-date must be signed.")
        made = self._signature(request, body, {name: request.headers.get(name, "") for name in names})
        if not secrets.compare_digest(made, found["signature"]):
            raise NotSigned(
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided.",
            )

    def _signature(self, request: Request, body: bytes, headers: Mapping[str, str]) -> str:
        # The path as it was sent: a model's id is percent-encoded in it, and signed so.
        url = f"http://{headers['host']}{request.scope['raw_path'].decode()}"
        asked = AWSRequest(method=request.method, url=url, data=body, headers=dict(headers))
        asked.context["timestamp"] = headers["x-amz-date"]
        auth = SigV4Auth(Credentials(self.access_key, self.secret_key), self.service, self.region)
        return str(auth.signature(auth.string_to_sign(asked, auth.canonical_request(asked)), asked))
