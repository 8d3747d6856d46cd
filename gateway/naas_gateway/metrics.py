"""What Prometheus sees. Labels are closed lists (route templates, service names), never names of people."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("naas_gateway_requests", "Requests answered", ["route", "method", "status"])
REQUEST_SECONDS = Histogram("naas_gateway_request_seconds", "Time to answer a request", ["route"])
REFRESHES = Counter(
    "naas_gateway_refreshes",
    "Refresh tokens sent to IAM, by result: ok, ended, refused, never-sent, unknown, fenced",
    ["result"],
)
EXCHANGES = Counter(
    "naas_gateway_exchanges", "Token exchanges, by purpose (audience, spare) and result", ["purpose", "result"]
)
OUTSIDE_SECONDS = Histogram("naas_gateway_outside_seconds", "Time of calls to other services", ["service", "result"])
CIRCUIT_OPEN = Gauge("naas_gateway_circuit_open", "1 while calls to a service are held back", ["service"])
EVENT_STREAMS = Gauge("naas_gateway_event_streams", "Open event streams")
WATCH_SECONDS = Histogram("naas_gateway_watch_seconds", "Time of one pass over the people with a running server")
STOPS = Counter("naas_gateway_access_stops", "Servers stopped because access was lost, by result", ["result"])
CHECK_REQUESTS = Counter(
    "naas_gateway_healthchecks_requests",
    "Requests to the Healthchecks server, by result: ok, refused, wrong-key, limited (by the server), failed; held-back: not sent, to "
    "keep within the limit",
    ["result"],
)
CHECK_LOOKS = Counter(
    "naas_gateway_healthchecks_looks", "Looks at checks, by where the answer came from: kept, server, stale", ["source"]
)
