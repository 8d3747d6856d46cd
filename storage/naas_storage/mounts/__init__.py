"""The mount helper: the one privileged core of the product. It gives an unprivileged agent a mounted FUSE descriptor, nothing else.

Read it in this order: `kernel` (the system calls), `published` (what is refused), `core` (what is done), `server` (its sockets).

What it promises:
- it mounts only below its base folder, on paths made from checked names; callers give no path and no option;
- a mount belongs to the uid and gid that the kernel says the caller has, which must be the published ones and no system user's;
- every mount is ``nosuid,nodev,default_permissions`` and never ``allow_other``: nobody else, not even root, is let in, so nobody
  else can be hung by it; ``ro`` is enforced by the kernel;
- a folder without its mount is root's, 0555, on a read-only file system: a write there fails, it never lands on the local disk;
- no copy of a descriptor is kept: when the agent dies, the kernel ends the connection.
"""
