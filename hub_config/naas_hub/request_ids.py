"""The request id of each request to the hub: taken over or new, in every log line and gateway call that it causes, and in the answer."""

from __future__ import annotations

from naas_client.logs import REQUEST_ID_HEADER, new_request_id
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform


class RequestIds(OutputTransform):
    """Tornado makes one for each request just before it runs the handler, whose task inherits the context of this call."""

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(request)
        self.value = new_request_id(request.headers.get(REQUEST_ID_HEADER))

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Add the id to the answer's headers."""
        headers[REQUEST_ID_HEADER] = self.value
        return super().transform_first_chunk(status_code, headers, chunk, finishing)
