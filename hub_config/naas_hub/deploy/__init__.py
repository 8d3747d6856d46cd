"""`naas deploy`: what runs the service somewhere, written from ``naas.yaml``."""
