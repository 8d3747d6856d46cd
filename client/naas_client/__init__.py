"""The ground floor of jupyterhub-naas: typed models, errors, settings sections, the gateway client and the `naas` CLI.

Every other room may import from here; this package imports nothing of ours.
"""
