"""Files: an address to upload to, the upload, and the message that shares it."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from connectors.slack.twin.arguments import CompleteUpload, UploadUrl
from connectors.slack.twin.chat import Chat
from connectors.slack.twin.problems import Json, SlackProblem
from connectors.slack.twin.workspace import File, Message, Workspace, new_file_id

MAX_FILE: Final = 16 * 1024 * 1024
"""Bytes; Slack takes more, and Banksman sends plans and logs."""


@dataclass
class Files:
    """The methods `files.*` and the upload itself."""

    workspace: Workspace
    chat: Chat

    def upload_url(self, asked: UploadUrl, base_url: str) -> Json:
        """Where to upload to."""
        if asked.length > MAX_FILE:
            raise SlackProblem("file_upload_size_restricted")
        file = File(id=new_file_id(), name=asked.filename, length=asked.length)
        self.workspace.files[file.id] = file
        return {"upload_url": f"{base_url}/upload/v1/{file.id}", "file_id": file.id}

    async def upload(self, request: Request) -> Response:
        """Take the bytes, as they are; Slack takes a form, too."""
        file = self.workspace.files.get(str(request.path_params["file"]))
        if file is None or file.content is not None:
            return PlainTextResponse("this address is not there (any more)", status_code=404)
        body = await request.body()
        if len(body) != file.length:
            return PlainTextResponse(f"{len(body)} bytes came, {file.length} were announced", status_code=400)
        file.content = body
        return PlainTextResponse(f"OK - {len(body)}")

    def complete(self, asked: CompleteUpload, base_url: str) -> Json:
        """Name the files, and share them as one message."""
        del base_url
        files = [self._uploaded(one.id, one.title) for one in asked.files]
        if not files:
            raise SlackProblem("invalid_arguments", ["no files given [json-pointer:/files]"])
        if asked.channel_id is not None:
            self._share(files, asked, asked.channel_id)
        return {"files": [{"id": file.id, "title": file.title} for file in files]}

    def _uploaded(self, file_id: str, title: str | None) -> File:
        file = self.workspace.files.get(file_id)
        if file is None or file.content is None:
            raise SlackProblem("file_not_found")
        file.title = title or file.name
        return file

    def _share(self, files: list[File], asked: CompleteUpload, channel_id: str) -> None:
        channel = self.chat.channel(channel_id, to_write=True)
        message = Message(
            channel=channel.id,
            ts=self.workspace.new_ts(),
            user=self.workspace.config.app.user,
            text=asked.initial_comment,
            thread_ts=asked.thread_ts,
            files=files,
            by_app=True,
        )
        self.workspace.put(message)

    async def download(self, request: Request) -> Response:
        """A file for a person: never shown by the browser itself, whatever is in it."""
        file = self.workspace.files.get(str(request.path_params["file"]))
        if file is None or file.content is None:
            return PlainTextResponse("There is no such file here (any more).", status_code=404)
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name)}"}
        headers["X-Content-Type-Options"] = "nosniff"
        return Response(file.content, media_type="application/octet-stream", headers=headers)
