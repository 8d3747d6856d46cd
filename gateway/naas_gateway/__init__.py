"""The platform's API service: tokens, S3 credentials, storage plans, stop reasons, events and audit.

Layers: `api` (HTTP only) → `services` (logic) → `clients` (IAM, STS, store, hub) and `db`. Start: ``python -m naas_gateway``.
"""
