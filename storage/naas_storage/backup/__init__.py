"""Backup of a person's home to their bucket, in versions, with restore of one file or all.

In the bucket, below ``naas-backup/``: ``home/`` is the home as the newest backup saw it; ``versions/<id>/`` holds what the backup
``<id>`` replaced or deleted there; ``runs/<id>.json`` says what a backup did, ``runs/<id>.list`` which files it holds.
A file as it was after backup B is therefore in ``versions/`` of the first later backup that has it, else in ``home/``.
"""
