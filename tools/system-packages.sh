#!/bin/sh
# Install the Debian packages that are missing; without the right to, print the line to type and stop.
# --no-service: the services that they bring are neither started now nor at the machine's next start.
set -eu
policy=/usr/sbin/policy-rc.d # asked before a package starts a service (invoke-rc.d(8))
quiet=""
if [ "${1:-}" = --no-service ]; then
  quiet=1
  shift
fi
missing=""
for package in "$@"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
line="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
  sudo=""
elif sudo -n true 2>/dev/null; then
  sudo="sudo"
else
  echo "These Debian packages are missing:$missing" >&2
  echo "Type this, then run make again:  sudo $line" >&2
  exit 1
fi
echo "Installing Debian packages:$missing"
export DEBIAN_FRONTEND=noninteractive
if [ -n "$quiet" ] && [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
  $sudo chmod 755 "$policy"
  trap '$sudo rm -f "$policy"' EXIT
fi
$sudo $line >/dev/null 2>&1 || { $sudo apt-get update -qq && $sudo $line -qq >/dev/null; }
for service in ${quiet:+$missing}; do
  [ ! -e "/etc/init.d/$service" ] || $sudo update-rc.d "$service" disable >/dev/null
done
