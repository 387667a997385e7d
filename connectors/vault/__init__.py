"""Vault or OpenBao: one login per process, one token per step, nothing that outlives its use."""

from connectors.vault.deliverer import Deliverer
from connectors.vault.leases import Lease
from connectors.vault.session import SecretIdAlarm, TokenLost, VaultSession, WrappedSecretId
from connectors.vault.step_token import StepToken

__all__ = ["Deliverer", "Lease", "SecretIdAlarm", "StepToken", "TokenLost", "VaultSession", "WrappedSecretId"]
