"""The mount agent of one server: it keeps the person's folders mounted, and says how they are.

It runs as the person, beside their server, and supervises one ``rclone mount2`` per folder. Importing it starts nothing.
"""

from naas_storage.agent.app import main

__all__ = ["main"]
