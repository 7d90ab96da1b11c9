#!/bin/bash
# collect.sh FOLDER: two versions of each kind of data, in FOLDER/first and FOLDER/second, for the
# program `dedup` beside this file. Real ones where that is possible without an account:
#   source     the source of Django, two releases apart (PyPI)
#   postgres   the data folder of a PostgreSQL, before and after 20,000 transactions (pgbench)
#   ext4       a raw file system, before and after files in it changed
#   qcow2      the same two as images of qemu (if qemu-img is there)
# and from the trees of benches/peers: sqlite, mail, logs, documents, media, image.
# Needs PostgreSQL with pgbench, e2fsprogs, pip; as root or as a user who may start PostgreSQL.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
D=${1:?usage: collect.sh FOLDER}
mkdir -p "$D"/{first,second,work} && D=$(cd "$D" && pwd)
PG=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)

as_postgres() {
    local data=$D/work/postgres
    mkdir -p "$data" && chmod 755 "$D" "$D/work"
    [ "$(id -u)" != 0 ] || chown postgres "$data"
    as_postgres "$PG/initdb" -D "$data/cluster" -A trust -U postgres >/dev/null
    serve() {
        as_postgres "$PG/pg_ctl" -D "$data/cluster" -w -l "$data/log" \
            -o "-c listen_addresses= -k $data" "$1" >/dev/null
    }
    serve start
    as_postgres "$PG/pgbench" -h "$data" -U postgres -i -s 10 -q postgres 2>/dev/null
    serve stop
    cp -r "$data/cluster/base" "$D/first/postgres"
    serve start
    as_postgres "$PG/pgbench" -h "$data" -U postgres -t 20000 -n postgres >/dev/null 2>&1
    serve stop
    cp -r "$data/cluster/base" "$D/second/postgres"
}

file_system() {
    mkdir -p "$D"/{first,second}/{ext4,qcow2}
    truncate -s 256M "$D/first/ext4/disk.raw"
    mkfs.ext4 -q -F -d "$D/first/source" "$D/first/ext4/disk.raw"
    cp "$D/first/ext4/disk.raw" "$D/second/ext4/disk.raw"
    local file
    (cd "$D/second/source" && find . -name '*.py' | sort | awk 'NR % 20 == 0') |
        while read -r file; do
            [ -e "$D/first/source/$file" ] || continue
            echo "rm ${file#./}"
            echo "write $D/second/source/$file ${file#./}"
        done | debugfs -w -f /dev/stdin "$D/second/ext4/disk.raw" >/dev/null 2>&1
    if command -v qemu-img >/dev/null; then
        for side in first second; do
            qemu-img convert -O qcow2 "$D/$side/ext4/disk.raw" "$D/$side/qcow2/disk.qcow2"
        done
    else
        rmdir "$D"/{first,second}/qcow2
    fi
}

generated() {
    local tree=$D/work/trees/mixed-0.25/tree side day kind
    for side in first second; do
        day=1; [ $side = first ] || day=2
        "$HERE/../peers/run" tree mixed --scale 0.25 --day $day --work "$D/work"
        for kind in mail logs documents media; do cp -r "$tree/$kind" "$D/$side/$kind"; done
        mkdir "$D/$side/sqlite" "$D/$side/image"
        cp "$tree"/data/*.sqlite "$D/$side/sqlite/"
        cp "$tree/data/disk.img" "$D/$side/image/"
    done
}

for step in source_text postgres file_system generated; do
    echo "$step" >&2
    $step
done
rm -rf "$D/work"
