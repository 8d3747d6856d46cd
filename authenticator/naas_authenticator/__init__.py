"""Sign-in with INDIGO IAM for JupyterHub: `IAMAuthenticator`, entry point ``indigo-iam``."""

from naas_authenticator.authenticator import IAMAuthenticator

__all__ = ["IAMAuthenticator"]
