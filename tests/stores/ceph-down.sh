#!/bin/bash
# ceph-down.sh DIR [--rm]: stops what ceph-up.sh DIR started, by its pid files; --rm removes DIR.
#
# A process is stopped only if its command line names DIR's configuration, since a pid may have been
# given to somebody else in the meantime.
set -u
D=${1:?usage: ceph-down.sh DIR [--rm]}
D=$(cd "$D" && pwd) || exit 1
if [ ! -e "$D/ceph.conf" ]; then echo "ceph-down: nothing was started in $D" >&2; exit 2; fi
is_ours() { [ -r "/proc/$1/cmdline" ] && tr '\0' ' ' < "/proc/$1/cmdline" | grep -qF -- "$D/ceph.conf"; }
for file in "$D"/run/client.rgw.*.pid "$D"/run/osd.*.pid "$D"/run/mon.*.pid; do
  [ -e "$file" ] || continue
  pid=$(cat "$file")
  { [ -n "$pid" ] && is_ours "$pid"; } || continue
  kill -TERM "$pid"
  for _ in $(seq 50); do is_ours "$pid" || break; sleep 0.1; done
  is_ours "$pid" && kill -KILL "$pid"
done
rm -f "$D/ceph.conf"
if [ "${2:-}" = --rm ]; then rm -rf "$D"; fi
