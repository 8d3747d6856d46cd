#!/bin/sh
# Build container images: images/build.sh --help
set -eu
cd "$(dirname "$0")/.."
test -x .venv/bin/python || { echo "Run \`make install\` first." >&2; exit 1; }
PYTHONPATH=images exec .venv/bin/python -m naas_images "$@"
