"""The typed client of the gateway's API: `GatewayClient` (async) and `SyncGatewayClient`, over one list of calls.

Every method raises a `naas_client.errors.NaasError`: what the gateway answered, or `Unavailable` when it does not answer. Nothing
but a refused connection is tried again, so no call is ever made twice.
"""

from naas_client.gateway._calls import API_PATH
from naas_client.gateway.asynchronous import GatewayClient
from naas_client.gateway.synchronous import SyncGatewayClient

__all__ = ["API_PATH", "GatewayClient", "SyncGatewayClient"]
