"""What the embedded environment is called, and the policy that it has when nobody gives another."""

from pathlib import Path
from typing import Final

NAMESPACE: Final = "default"
ENVIRONMENT: Final = "local"
DEFAULT_POLICY: Final = Path(__file__).parent / "policy.yaml"
