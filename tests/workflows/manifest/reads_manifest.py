"""A workflow that reads a manifest, as a goal does that was handed the file by a step."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.manifest.reading import ManifestError, read_manifest


@workflow.defn(name="TestReadsManifest")
class ReadsManifestWorkflow:
    @workflow.run
    async def run(self, text: str) -> str:
        try:
            return read_manifest(text.encode()).manifest.service.name
        except ManifestError as error:
            return str(error)
