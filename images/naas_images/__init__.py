"""Builds the container images: `images/build.sh`. Not part of the installed product."""
