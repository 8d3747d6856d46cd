"""The launcher: one small process that has imported everything once and is forked for each server and each mount agent.

``python -m naas_spawner.launcher --socket PATH --state PATH``. It is the parent of all people's processes, so hub, gateway and proxy
can be restarted while sessions go on. The protocol is in docs/architecture.md.
"""
