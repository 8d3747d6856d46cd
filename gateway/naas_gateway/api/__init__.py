"""HTTP only: who calls, what they sent, which service answers."""
