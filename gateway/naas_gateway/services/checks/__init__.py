"""Healthchecks for people: the keys of their projects stay here, and all together ask the server no more often than it allows.

``projects`` says who may use what, ``budgets`` how often a key may be used, ``looks`` reads and keeps, ``changes`` changes, ``watch`` tells
people of flips; `Checks` is what the API calls.
"""
