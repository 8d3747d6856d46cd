#!/bin/sh
# Start PostgreSQL; the first time, make its databases. The kernel tells it who connects to its socket (peer), so there are no passwords.
set -eu
umask 077
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
data=/var/lib/naas/db
if [ ! -e "$data" ]; then
  rm -rf "$data.new"
  initdb -D "$data.new" --username=postgres --auth-local=peer --auth-host=reject --encoding=UTF8 --locale=C.UTF-8 --data-checksums
  # one statement a line, as single-user mode wants it
  for name in hub gateway; do
    printf 'CREATE ROLE %s LOGIN\nCREATE DATABASE %s OWNER %s\n' "$name" "$name" "$name"
  done | postgres --single -D "$data.new" postgres
  mv "$data.new" "$data"
fi
exec postgres -D "$data" -c listen_addresses= -c unix_socket_directories=/run/postgresql
