"""A real Ceph RADOS Gateway on one machine: one monitor, one OSD, one gateway (or two), from Debian's packages.

Each daemon is a part of its own (`python -m naas_local.ceph mon|osd|rgw CONFIG`), in the foreground and on loopback, with
everything below one folder: no systemd, no `/etc/ceph`, no user `ceph`. Daemons and clients know each other by cephx keys, so
other people of the machine, who reach loopback too, get nothing from monitor or OSD.
"""

from naas_local.ceph.cluster import CephStore, ceph_store
from naas_local.ceph.part import CephConfig, prepare
from naas_local.ceph.programs import missing_programs

__all__ = ["CephConfig", "CephStore", "ceph_store", "missing_programs", "prepare"]
