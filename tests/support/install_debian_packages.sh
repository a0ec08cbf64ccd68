#!/usr/bin/env bash
# Installs the Debian packages that tests need and pip cannot bring. Quick where they are there already; needs root.
set -euo pipefail

PACKAGES=(
  openssl         # tests/integration/test_transport_connections.py
  rabbitmq-server # tests/integration/test_rabbitmq.py
)

is_installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! command -v dpkg-query apt-get >/dev/null; then
  echo "This is no Debian: install what is missing of ${PACKAGES[*]} by hand." >&2
  exit 0
fi
missing=()
for package in "${PACKAGES[@]}"; do
  is_installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

# Tests start servers of their own; those of the packages must not take their ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

echo "Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
options=(-qq -o DPkg::Lock::Timeout=300)
apt-get "${options[@]}" update
apt-get "${options[@]}" install --yes --no-install-recommends "${missing[@]}" >/dev/null
