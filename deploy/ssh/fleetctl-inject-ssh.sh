#!/bin/bash
# Lets a public SSH key in on every machine of the cluster:
#   cat ~/.ssh/id_ed25519.pub | fleetctl-inject-ssh.sh NAME [fleetctl flags]
# NAME marks the key, so that fleetctl-remove-ssh.sh finds it again; a key that NAME had before is replaced.
set -eu
fail() { printf 'Error: %s\n' "$*" >&2; exit 1; }
[ $# -ge 1 ] || fail "name whose key it is: cat key.pub | $0 NAME [fleetctl flags]"
name=$1
shift
[[ $name =~ ^[A-Za-z0-9_.@-]+$ ]] || fail "invalid name \"$name\": expected letters, digits and _ . @ -"
read -r type key _ || fail "no key on standard input: pipe a public key in"
[[ ${type:-} =~ ^(ssh-|ecdsa-|sk-) && ${key:-} =~ ^[A-Za-z0-9+/=]+$ ]] || fail "standard input does not hold a public SSH key"
fleetctl=${FLEETCTL:-fleetctl}
# The key goes over as an argument: standard input stays free for ssh's own questions.
script='umask 077 && mkdir -p ~/.ssh && cd ~/.ssh && touch authorized_keys &&
  awk -v mark="fleet:$1" "\$NF != mark" authorized_keys >authorized_keys.new &&
  printf "%s fleet:%s\n" "$2" "$1" >>authorized_keys.new && mv authorized_keys.new authorized_keys'
machines=$("$fleetctl" "$@" list-machines --fields=machine --full --no-legend) || fail "the machines can't be listed"
status=0
for machine in $machines; do
  if "$fleetctl" "$@" ssh --quote --machine "$machine" sh -c "$script" sh "$name" "$type $key"; then
    printf '%s: %s may log in\n' "$machine" "$name"
  else
    printf 'Error: the key could not be put on machine %s\n' "$machine" >&2
    status=1
  fi
done
exit $status
