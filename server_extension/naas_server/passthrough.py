"""Everything that is the gateway's: passed on address by address, with limits; the token never reaches the browser."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from naas_client.errors import InvalidInput, NotFound
from tornado.web import authenticated

from naas_server.base import MethodNotAllowed, NaasHandler, read_document
from naas_server.gateway import Gateway, Route

LONGEST_PARAMETER = 300


class PassThroughHandler(NaasHandler):
    """One address of the gateway."""

    def initialize(self, gateway: Gateway, route: Route) -> None:
        """Parameters: ``gateway``, where to; ``route``, what is allowed there."""
        self.gateway, self.route = gateway, route

    @authenticated
    @authorized
    async def get(self, path: str) -> None:
        """Read."""
        await self._pass(path, None)

    @authenticated
    @authorized
    async def post(self, path: str) -> None:
        """Change; Jupyter Server has checked XSRF before."""
        await self._pass(path, self._body())

    @authenticated
    @authorized
    async def put(self, path: str) -> None:
        """Replace; Jupyter Server has checked XSRF before."""
        await self._pass(path, self._body())

    @authenticated
    @authorized
    async def patch(self, path: str) -> None:
        """Change a part; Jupyter Server has checked XSRF before."""
        await self._pass(path, self._body())

    @authenticated
    @authorized
    async def delete(self, path: str) -> None:
        """End; Jupyter Server has checked XSRF before."""
        await self._pass(path, None)

    async def _pass(self, path: str, body: bytes | None) -> None:
        if self.request.method not in self.route.methods:
            raise MethodNotAllowed("This address cannot be used like that. Reload the page to get the current panel.")
        answer = await self.gateway.send(
            self.request.method,
            path,
            request_id=self.request_id,
            parameters=self._parameters(),
            body=body,
        )
        self.set_status(answer.status)
        self.finish(*([answer.body] if answer.body else []))

    def _parameters(self) -> dict[str, str]:
        values = {name: self.get_query_argument(name, "") for name in self.route.parameters}
        if any(len(value) > LONGEST_PARAMETER for value in values.values()):
            raise InvalidInput(f"A parameter of the address is longer than {LONGEST_PARAMETER} characters. Shorten it.")
        return {name: value for name, value in values.items() if value}

    def _body(self) -> bytes:
        body: bytes = self.request.body
        read_document(body, self.route.longest)
        return body or b"{}"


class UnknownHandler(NaasHandler):
    """Any other address below ours: for signed-in people it does not exist; the others learn nothing."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Answer 404."""
        raise NotFound("There is nothing at this address. Reload the page to get the current panel.")

    post = put = patch = delete = get
