"""Buckets as folders on a person's own computer: the mount agent of the servers, with a terminal instead of a hub."""
