#!/usr/bin/env bash
# Starts a broker with the eleven ports of test.mosquitto.org on this computer: in clear, with user
# names, with TLS of every kind, and over WebSockets. What to try there is in docs/test-server.md.
#
#   scripts/test-server.sh [FOLDER]     where certificates and passwords go (target/test-server)
#   TEST_SERVER_PROFILE=dev             builds this profile instead of release
#   TEST_SERVER_BIN=FOLDER              takes the programs from there, and builds nothing
#   TEST_SERVER_CONF=FILE               takes this file instead of examples/test-server.conf
#
# Ctrl-C ends it. Certificates are made anew each time.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$here/target/test-server}
profile=${TEST_SERVER_PROFILE:-release}
bin=${TEST_SERVER_BIN:-}

if [ -z "$bin" ]; then
    echo "Building the programs (profile $profile) ..." >&2
    (cd "$here" && cargo build --quiet --profile "$profile" \
        -p mqtt-broker -p mqtt-passwd -p mqtt-testkit --bins)
    target=$(cd "$here" && cargo metadata --no-deps --format-version 1 |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
    [ "$profile" != dev ] || profile=debug
    bin=$target/$profile
fi

mkdir -p "$folder"
"$bin/test-certificates" "$folder"
"$bin/mqtt-passwd" -c -b "$folder/passwords" student learn >/dev/null
"$bin/mqtt-passwd" -b "$folder/passwords" teacher teach >/dev/null

conf=${TEST_SERVER_CONF:-$here/examples/test-server.conf}
conf=$(cd "$(dirname "$conf")" && pwd)/$(basename "$conf")
echo "Certificates and passwords are in $folder" >&2
cd "$folder"
exec "$bin/mqtt-broker" -c "$conf"
