#!/bin/bash
# ceph-up.sh DIR: starts a real Ceph cluster with S3 gateways on loopback, for tests only.
#
# One monitor, three OSDs, two gateways; no systemd, no authentication between the daemons. Prints
# how to reach it, also as the variables that the engine's tests look for, and keeps that in
# DIR/env: `eval "$(ceph-up.sh DIR)"`. Stop it with ceph-down.sh DIR.
#
# Needs the packages ceph-mon ceph-osd radosgw ceph-common curl, and root.
# Environment, with defaults:
#   STORE=memstore     objects in memory; `bluestore` keeps them in DIR and survives killed OSDs
#   RGWS=2             gateways, each on a port of its own
#   COPIES=3           of each object; one needs a third of the memory, and loses what an OSD held
set -euo pipefail
D=${1:?usage: ceph-up.sh DIR}
STORE=${STORE:-memstore} RGWS=${RGWS:-2} COPIES=${COPIES:-3} OSDS=3
ACCESS=mainstaytestaccess SECRET=mainstaytestsecret0123456789 REGION=us-east-1
mkdir -p "$D" && D=$(cd "$D" && pwd)
if [ -e "$D/ceph.conf" ]; then echo "ceph-up: $D is in use; stop it with ceph-down.sh" >&2; exit 2; fi
mkdir -p "$D/run" "$D/log" "$D/mon"
exec 3>&1 >>"$D/log/setup.log"   # answers go to 3, chatter to the log

# A port that nobody listens on right now, and none twice.
TAKEN=" "
free_port() {
  while :; do
    PORT=$((20000 + RANDOM % 10000))
    [[ $TAKEN == *" $PORT "* ]] && continue
    (exec 9<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null && continue
    TAKEN+="$PORT "
    return
  done
}
fail() { echo "ceph-up: $*; see $D/log" >&2; exit 1; }
until_true() { for _ in $(seq 300); do "$@" && return 0; sleep 0.1; done; return 1; }

free_port; MON=$PORT
FSID=$(cat /proc/sys/kernel/random/uuid)
cat > "$D/ceph.conf" <<CONF
[global]
fsid = $FSID
mon_host = v1:127.0.0.1:$MON
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr2 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = $D/run
pid_file = $D/run/\$name.pid
admin_socket = $D/run/\$name.\$pid.asok
log_file = $D/log/\$name.log
crash_dir = $D/log
osd_pool_default_size = $COPIES
osd_pool_default_min_size = $(( (COPIES + 1) / 2 ))
mon_allow_pool_size_one = true
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
[mon]
mon_data = $D/mon
mon_osd_reporter_subtree_level = osd
mon_data_avail_warn = 2
mon_data_avail_crit = 1
paxos_propose_interval = 0.05
mon_cluster_log_to_file = false
[osd]
osd_data = $D/osd.\$id
osd_objectstore = $STORE
memstore_device_bytes = 4294967296
bluestore_block_size = 17179869184
bluestore_cache_autotune = false
bluestore_cache_size = 268435456
osd_heartbeat_interval = 1
osd_heartbeat_grace = 5
osd_crush_update_on_start = false
osd_class_update_on_start = false
osd_class_load_list = *
osd_class_default_list = *
[client]
rgw_data = $D
rgw_enable_usage_log = false
rgw_run_sync_thread = false
CONF
ENDPOINTS=()
for i in $(seq 0 $((RGWS - 1))); do
  free_port; ENDPOINTS+=("http://127.0.0.1:$PORT")
  # Without tcp_nodelay each small answer waits 40 ms for a delayed acknowledgement.
  printf '[client.rgw.%s]\nrgw_frontends = beast endpoint=127.0.0.1:%s tcp_nodelay=1\n' \
    "$i" "$PORT" >> "$D/ceph.conf"
done
# A monitor that has just started sometimes answers EPERM to the first commands: asked again.
ceph_() {
  local n
  for n in 1 2 3 4 5; do
    ceph -c "$D/ceph.conf" --connect-timeout 20 "$@" 2>>"$D/log/setup.log" && return
    sleep 0.5
  done
  return 1
}

monmaptool --create --clobber --fsid "$FSID" --addv a "[v1:127.0.0.1:$MON]" "$D/monmap" 2>&1
ceph-mon -c "$D/ceph.conf" --mkfs -i a --monmap "$D/monmap" 2>&1 || fail "no monitor"
ceph-mon -c "$D/ceph.conf" -i a 2>&1 3>&- || fail "no monitor"

for i in $(seq 0 $((OSDS - 1))); do
  mkdir -p "$D/osd.$i"
  U=$(cat /proc/sys/kernel/random/uuid)
  ceph_ osd new "$U" "$i" || fail "no OSD $i"
  # An OSD that registers its place itself fails now and then: it asks before it knows the cluster.
  ceph_ osd crush add "osd.$i" 1 root=default host=local || fail "no place for OSD $i"
  ( ceph-osd -c "$D/ceph.conf" -i "$i" --mkfs --osd-uuid "$U" && ceph-osd -c "$D/ceph.conf" -i "$i" ) \
    2>&1 3>&- &
done
wait
osds_up() { [ "$(ceph_ osd stat -f json | grep -o '"num_up_osds":[0-9]*')" = "\"num_up_osds\":$OSDS" ]; }
until_true osds_up || fail "the OSDs did not come up"

radosgw-admin -c "$D/ceph.conf" user create --uid=test --display-name=test \
  --access-key="$ACCESS" --secret-key="$SECRET" --caps="users=*;user-policy=*" 2>&1 || fail "no user"
for i in $(seq 0 $((RGWS - 1))); do
  radosgw -c "$D/ceph.conf" -n "client.rgw.$i" 2>&1 3>&- || fail "no gateway"
done
for url in "${ENDPOINTS[@]}"; do until_true curl -s -o /dev/null "$url/" || fail "no answer at $url"; done

# curl signs, but does not send the hash of the body itself, which Ceph insists on; and it signs a
# query without a value only if the equals sign is written.
s3() { # PATH BODY HEADER...
  local path=$1 body=$2 hash; shift 2
  hash=$(printf '%s' "$body" | sha256sum | cut -d' ' -f1)
  curl -s -S -f -o /dev/null -X PUT ${body:+--data-binary "$body"} -H "x-amz-content-sha256: $hash" "$@" \
    --aws-sigv4 "aws:amz:$REGION:s3" --user "$ACCESS:$SECRET" "${ENDPOINTS[0]}$path" 2>&1
}
s3 /plain "" || fail "no bucket"
s3 /versioned "" || fail "no bucket"
s3 "/versioned?versioning=" \
  '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>' \
  || fail "no versioning"
s3 /locked "" -H "x-amz-bucket-object-lock-enabled: true" || fail "no bucket with Object Lock"

LAST=${ENDPOINTS[$((RGWS - 1))]}
connect() { echo "${ENDPOINTS[0]},$LAST,$1,$ACCESS,$SECRET,$REGION"; }
cat > "$D/env" <<ENV
export ENDPOINT=${ENDPOINTS[0]} ENDPOINT2=$LAST
export AWS_ACCESS_KEY_ID=$ACCESS AWS_SECRET_ACCESS_KEY=$SECRET AWS_REGION=$REGION
export MAINSTAY_TEST_S3=$(connect plain)
export MAINSTAY_TEST_S3_VERSIONED=$(connect versioned)
export MAINSTAY_TEST_S3_LOCKED=$(connect locked)
export MAINSTAY_TEST_S3_USERS=$(connect plain)
ENV
cat "$D/env" >&3
