"""A goal with one step that calls a web service; run by telemetry_process.py."""

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

CANARY = "hvs." + "CANARY" * 6


@activity.defn(name="twin.fetch")
def fetch(url: str) -> str:
    import requests  # noqa: PLC0415 - what PyGithub and hvac use underneath
    from opentelemetry import trace  # noqa: PLC0415 - not in the workflow's sandbox

    activity.logger.info("fetching with %s", CANARY)
    span = trace.get_current_span()
    span.set_attribute("password", "CANARY-attribute")
    span.set_attribute("note", [f"token {CANARY}"])
    span.add_event("asked", {"header": f"Bearer {CANARY}"})
    if activity.info().attempt == 1:
        raise ConnectionError(f"refused {CANARY}")
    return requests.get(url, params={"access_token": CANARY}, timeout=10).text


@workflow.defn(name="Fetch")
class FetchWorkflow:
    @workflow.run
    async def run(self, url: str) -> str:
        workflow.logger.info("a goal runs")
        return await workflow.execute_activity(
            fetch,
            url,
            start_to_close_timeout=timedelta(seconds=20),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=50), maximum_attempts=2),
        )
