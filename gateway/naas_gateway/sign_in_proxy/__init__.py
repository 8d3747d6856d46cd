"""A web application that believes a header (Healthchecks with ``REMOTE_USER_HEADER``), behind the hub's sign-in.

A process of its own, ``python -m naas_gateway.sign_in_proxy``, and a service of the hub with OAuth. Browser → hub → IAM → here. The
person's verified e-mail comes from the gateway, asked with the person's own token at each request, so that access ends here as it ends
there. Nothing that comes from outside can name a person to the application.
"""
