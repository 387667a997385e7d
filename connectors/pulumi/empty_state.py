"""The state of a stack that has nothing, whichever it is."""

import hashlib
from typing import Final

EMPTY_STATE: Final = b'{"version":3,"deployment":{}}'
"""As `pulumi stack export` would print it."""
EMPTY_STATE_REFERENCE: Final = f"sha256:{hashlib.sha256(EMPTY_STATE).hexdigest()}"
"""Under which an artifact store keeps it."""
