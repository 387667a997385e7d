"""What credentials look like: by the name they stand under, and by their own shape.

Every pattern is linear on hostile input: a match starts at a literal, and what repeats is bounded or ends at a
character that cannot start another match.
"""

import re
from typing import Final, NamedTuple

_MASKED: Final = r"\[redacted"
_NOT_IN_WORD: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
"""Where a word begins, also after a line's end that is written out, as `repr` and JSON do."""
_NAMES: Final = (
    r"(?:token|secret|password|passwd|passphrase|secret[_\-]?id|pwd|(?:api|private|access|secret|signing)[_\-]?key)s?"
)
_NAME_HINTS: Final = ("token", "secret", "passw", "passphrase", "pwd", "key")

# A key is judged by its last words: `vault_token` is a secret, `vault_token_ttl_seconds` is not.
SECRET_NAME: Final = re.compile(
    r"(?:^|_)(?:(?:token|secret|password|passwd|passphrase|credential|cookie|jwt|pem|pat)s?|pwd|secret_id|"
    r"(?:private|api|access|secret|signing|encryption|payload|account|shared|master|unseal)_?keys?|"
    r"authorization|authentication|dsn|connection_(?:string|uri|url))$"
)


class Shape(NamedTuple):
    """One kind of credential."""

    hints: tuple[str, ...]
    """Lower-case substrings, one of which every match holds: the cheap question before the dear one."""
    pattern: re.Pattern[str]
    kept: str
    """What stays of the match."""


def _shape(hints: tuple[str, ...], pattern: str, kept: str) -> Shape:
    return Shape(hints, re.compile(pattern), kept)


# The order matters: what spans more text comes first.
SHAPES: Final = (
    # A block that is cut off before its end is masked to the end of the text.
    _shape(
        ("private key",),
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        "[redacted private-key]",
    ),
    # One whose beginning was cut off, as in the tail of an output: masked from the beginning of the text.
    _shape(
        ("private key",),
        r"\A[\s\S]*-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----",
        "[redacted private-key]",
    ),
    _shape(
        ("authorization",),
        rf"(?i)(authorization[\"']?\s{{0,8}}[:=]\s{{0,8}}[\"']?)(?:(?:bearer|basic|token|digest)\s{{1,8}})?"
        rf"(?!{_MASKED})[^\s\"',}}\]]+",
        r"\1[redacted authorization]",
    ),
    # "the basic authentication failed" is prose; a credential has more than small letters.
    _shape(
        ("bearer", "basic"),
        rf"\b((?i:bearer|basic)\s{{1,8}})(?=[a-z]{{0,4096}}[A-Z0-9=_.+/~\-])(?!{_MASKED})[A-Za-z0-9._~+/\-]{{8,}}=*",
        r"\1[redacted credential]",
    ),
    # Since 2026 `ghs_` may be followed by an app id and a JWT of any length.
    _shape(
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        rf"{_NOT_IN_WORD}gh[pousr]_[A-Za-z0-9_.\-]{{16,}}",
        "[redacted github-token]",
    ),
    _shape(("github_pat_",), rf"{_NOT_IN_WORD}github_pat_[A-Za-z0-9_]{{20,}}", "[redacted github-token]"),
    _shape(("hvs.", "hvb.", "hvr."), rf"{_NOT_IN_WORD}hv[sbr]\.[A-Za-z0-9_.\-]{{16,}}", "[redacted vault-token]"),
    # OpenBao: `s.` and exactly 24 characters of mixed case, so that `s.some_attribute` is left alone.
    _shape(
        ("s.", "r."),
        r"(?<![A-Za-z0-9_.\-])[sr]\.(?=[A-Z0-9]{0,24}[a-z])(?=[a-z0-9]{0,24}[A-Z])[A-Za-z0-9]{24}"
        r"(?:\.[A-Za-z0-9]{5,16})?(?![A-Za-z0-9_(])",
        "[redacted vault-token]",
    ),
    _shape(("b.aaaa",), r"(?<![A-Za-z0-9_.\-])b\.AAAA[A-Za-z0-9_\-]{40,}", "[redacted vault-token]"),
    _shape(
        ("eyj",), rf"{_NOT_IN_WORD}eyJ[A-Za-z0-9_\-]{{8,1024}}\.[A-Za-z0-9_\-]{{8,}}\.[A-Za-z0-9_\-]*", "[redacted jwt]"
    ),
    _shape(("xox", "xapp-"), rf"{_NOT_IN_WORD}(?:xox[a-z][.\-]|xapp-)[A-Za-z0-9.\-]{{10,}}", "[redacted slack-token]"),
    _shape(
        ("hooks.slack.com/",),
        r"(hooks\.slack\.com/(?:services|workflows|triggers)/)[A-Za-z0-9/_\-]{8,}",
        r"\1[redacted slack-hook]",
    ),
    _shape(("pul-",), rf"{_NOT_IN_WORD}pul-[A-Za-z0-9]{{20,}}", "[redacted pulumi-token]"),
    _shape(
        ("akia", "asia", "aida", "aroa"),
        rf"{_NOT_IN_WORD}(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]{{16}}(?![A-Za-z0-9])",
        "[redacted aws-key]",
    ),
    _shape(
        ("napi_", "sk-", "npm_", "glpat-", "pypi-"),
        rf"{_NOT_IN_WORD}(?:napi_|sk-|npm_|glpat-|pypi-)[A-Za-z0-9_\-]{{20,}}",
        "[redacted api-key]",
    ),
    _shape(("aiza",), rf"{_NOT_IN_WORD}AIza[A-Za-z0-9_\-]{{35}}", "[redacted api-key]"),
    _shape(("://",), rf"(://[^\s/:@\"'?#]{{0,256}}):(?!{_MASKED})[^\s/\"'?#]{{1,1024}}@", r"\1:[redacted]@"),
    _shape(
        ("x-vault", "x-gitlab", "x-auth", "x-api"),
        rf"(?i)\b(x-(?:vault|gitlab|auth|api)[\w\-]{{0,40}}\s{{0,8}}:\s{{0,8}})(?!{_MASKED})[^\s\"',}}]+",
        r"\1[redacted header]",
    ),
    # `token=…` in a query or a command, then the same in JSON and in a `repr`, quoted once or escaped.
    _shape(_NAME_HINTS, rf"(?i)({_NAMES}=)(?!{_MASKED})(?![\"'])[^\s\"'&,;)}}\]]{{4,}}", r"\1[redacted]"),
    _shape(
        _NAME_HINTS,
        rf"(?i)({_NAMES}\\?[\"']?\s{{0,8}}[:=]\s{{0,8}}(?:SecretStr\()?b?\\?([\"']))(?!{_MASKED})[^\"'\\]+(?=\\?\2)",
        r"\1[redacted]",
    ),
    _shape(
        ("passw", "passphrase"),
        rf"(?i)((?:password|passwd|passphrase):\s{{1,8}})(?!{_MASKED})[^\s\"',;]{{4,}}",
        r"\1[redacted]",
    ),
)

HINTED: Final = re.compile("|".join(sorted({re.escape(hint) for shape in SHAPES for hint in shape.hints})))
"""Finds any hint of any shape in lower-case text: what it finds nothing in, which is most, holds no shape."""
