"""What becomes of a delivery about an installation of our App."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.execute import execute
    from workflows.github.contracts import DeliveryResult, Done
    from workflows.github.installation_contracts import KEEP_INSTALLATION, KeepInstallation


async def keep_installation() -> DeliveryResult:
    """Have the installation's workflow told of it; what it is told, the gateway reads from this delivery's start.

    Raises:
        ActivityError: The gateway received no such delivery.
    """
    kept = await execute(KEEP_INSTALLATION, KeepInstallation(), summary="Keep how the installation stands")
    why = "this installation was deleted before" if kept.gone else f"{kept.workflow} knows of it"
    return DeliveryResult(done=Done.IGNORED if kept.gone else Done.KEPT, why=why)
