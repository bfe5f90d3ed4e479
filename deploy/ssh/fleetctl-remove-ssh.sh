#!/bin/bash
# Takes the key that fleetctl-inject-ssh.sh put under a name off every machine of the cluster:
#   fleetctl-remove-ssh.sh NAME [fleetctl flags]
set -eu
fail() { printf 'Error: %s\n' "$*" >&2; exit 1; }
[ $# -ge 1 ] || fail "name whose key it is: $0 NAME [fleetctl flags]"
name=$1
shift
[[ $name =~ ^[A-Za-z0-9_.@-]+$ ]] || fail "invalid name \"$name\": expected letters, digits and _ . @ -"
fleetctl=${FLEETCTL:-fleetctl}
script='umask 077 && cd ~/.ssh 2>/dev/null && [ -e authorized_keys ] || exit 0
  awk -v mark="fleet:$1" "\$NF != mark" authorized_keys >authorized_keys.new && mv authorized_keys.new authorized_keys'
machines=$("$fleetctl" "$@" list-machines --fields=machine --full --no-legend) || fail "the machines can't be listed"
status=0
for machine in $machines; do
  if "$fleetctl" "$@" ssh --quote --machine "$machine" sh -c "$script" sh "$name" </dev/null; then
    printf '%s: the key of %s is gone\n' "$machine" "$name"
  else
    printf 'Error: the key could not be taken off machine %s\n' "$machine" >&2
    status=1
  fi
done
exit $status
