"""The logic of the gateway; knows nothing of HTTP requests."""
