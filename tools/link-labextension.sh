#!/bin/sh
# An editable install does not bring data files: link the built Lab extension and the server extension's switch into .venv.
set -eu
prefix=.venv
mkdir -p "$prefix/share/jupyter/labextensions" "$prefix/etc/jupyter/jupyter_server_config.d"
ln -sfn "$PWD/server_extension/naas_server/labextension" "$prefix/share/jupyter/labextensions/jupyterlab-naas"
ln -sfn "$PWD/server_extension/naas.json" "$prefix/etc/jupyter/jupyter_server_config.d/naas.json"
