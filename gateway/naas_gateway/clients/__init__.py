"""The outside world: every call has a time limit, a bounded number of tries and a circuit that shows in `/health`."""
