"""Files that are too large for memory: they stream into the data folder while they arrive."""

from tempfile import NamedTemporaryFile
from typing import IO, cast

import flask

from moderation.records import import_runs
from moderation.web.context import services

ENDPOINT = "imports.upload"

LARGEST = 2 * 2**30
"""Bytes of an upload at most; what is larger is imported by the command."""


class Request(flask.Request):
    """Flask's request, but for the place of uploads."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        if self.endpoint != ENDPOINT:
            return super()._get_file_stream(
                total_content_length, content_type, filename, content_length
            )
        # It goes when it is closed: who wants to keep it gives it another name.
        folder = import_runs.folder(services().settings.home)
        return cast(IO[bytes], NamedTemporaryFile(dir=folder, prefix="incoming-"))
