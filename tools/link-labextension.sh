#!/bin/sh
# An editable install does not bring data files: link the built Lab extension and the switches of the server extension and of %storage into .venv.
set -eu
prefix=.venv
mkdir -p "$prefix/share/jupyter/labextensions" "$prefix/etc/jupyter/jupyter_server_config.d" "$prefix/etc/ipython"
ln -sfn "$PWD/server_extension/naas_server/labextension" "$prefix/share/jupyter/labextensions/jupyterlab-naas"
ln -sfn "$PWD/server_extension/naas.json" "$prefix/etc/jupyter/jupyter_server_config.d/naas.json"
ln -sfn "$PWD/server_extension/ipython_config.py" "$prefix/etc/ipython/ipython_config.py"
