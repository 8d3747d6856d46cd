#!/usr/bin/env bash
# Run pytest; what failed is tried once more by itself, from a fresh start, and named as unstable when it passes then.
# Nearly all tests wait for real servers, and a busy machine may make one of them wait longer than its limit.
# A test that fails twice fails the run; so does any error of pytest itself, and more than five failures.
set -uo pipefail
most=5

# Docker engine and container images take minutes: they begin now, and the tests that need them come last.
exec {engine}> >(exec python tests/support/engine.py)
builder=$!
trap 'exec {engine}>&-; wait "$builder"' EXIT

pytest "$@"
code=$?
[ "$code" -eq 1 ] || exit "$code"

failed=$(python -c 'import json, pathlib
print("\n".join(json.loads(pathlib.Path(".pytest_cache/v/cache/lastfailed").read_text())))') || exit 1
if [ "$(wc -l <<<"$failed")" -gt "$most" ]; then
  echo "More than $most tests failed: not tried again."
  exit 1
fi
printf '\nTrying again by themselves:\n%s\n\n' "$failed"
pytest --last-failed --last-failed-no-failures=none "$@" || exit 1
printf '\nUNSTABLE, they passed only when tried again (mend the test or what it found):\n%s\n' "$failed"
