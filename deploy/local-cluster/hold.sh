#!/bin/bash
# Holds the namespaces of one test network, and takes everything in them away when it ends. Root only.
#   hold.sh NAME FOLDER [for-ever]
# Whoever starts it keeps its standard input open: when that ends, for whatever reason, the kernel ends every process
# in the process namespace, and with the last of them go all mounts, bridges and network namespaces. With `for-ever` it
# ends when the first process of the namespace is killed.
set -u
name=$1 folder=$2 until=${3:-input-ends}
mkdir -p "$folder"
unshare --mount --net --pid --fork --kill-child=SIGKILL --mount-proc --propagation private bash -c '
  mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && mount -t tmpfs tmpfs "$0" &&
  ip link set lo up && ip link add br0 type bridge && ip link set br0 up && echo ready || exit 1
  [ "$1" = for-ever ] && exec sleep infinity
  while read -r _; do :; done' "$folder" "$until"
# Empty control groups are all that the kernel leaves; those that still end get a moment.
for _ in 1 2 3 4 5 6 7 8 9 10; do
  left=
  for group in /sys/fs/cgroup/"$name"-h* /sys/fs/cgroup/unified/"$name"-h*; do
    [ -d "$group" ] || continue
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || left=1
  done
  [ -z "$left" ] && break
  sleep 0.2
done
rm -rf "$folder"
