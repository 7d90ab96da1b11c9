#!/bin/bash
# clouds-down.sh DIR: stops what clouds-up.sh DIR started, by its pids.
#
# A process is stopped only if its command line still names the program, since a pid may have been
# given to somebody else in the meantime.
set -u
D=${1:?usage: clouds-down.sh DIR}
if [ ! -e "$D/pids" ]; then echo "clouds-down: nothing was started in $D" >&2; exit 2; fi
is_ours() { [ -r "/proc/$1/cmdline" ] && tr '\0' ' ' <"/proc/$1/cmdline" | grep -qF -- "$2"; }
while read -r pid name; do
  is_ours "$pid" "$name" || continue
  kill -TERM "$pid"
  for _ in $(seq 50); do is_ours "$pid" "$name" || break; sleep 0.1; done
  is_ours "$pid" "$name" && kill -KILL "$pid"
done <"$D/pids"
rm -f "$D/pids"
