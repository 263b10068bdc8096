#!/usr/bin/env bash
# Broker CPU per message, mqtt-broker beside Debian's mosquitto: one publisher, one subscriber,
# QoS 0, 64 bytes. Runs both brokers in turn and prints each run and the ratio of the medians.
#
#   scripts/bench-broker.sh [MESSAGES] [ROUNDS]        default: 1000000 messages, 3 rounds
set -euo pipefail
cd "$(dirname "$0")/.."

messages=${1:-1000000}
rounds=${2:-3}
mosquitto=$(command -v mosquitto || echo /usr/sbin/mosquitto)
[ -x "$mosquitto" ] || { echo "There is no mosquitto to compare with. Type: sudo apt-get install mosquitto" >&2; exit 2; }

cargo build --release --quiet -p mqtt-broker -p mqtt-pub -p mqtt-sub
bin=${CARGO_TARGET_DIR:-target}/release
scratch=$(mktemp -d)
broker=
cleanup() { [ -z "$broker" ] || kill "$broker" 2>/dev/null || true; rm -rf "$scratch"; }
trap cleanup EXIT

# A port that nobody listens on.
free_port() {
    local port
    while port=$((20000 + RANDOM % 20000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

# User and system time of a process, in clock ticks.
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

wait_for() { # FILE PATTERN
    for _ in $(seq 600); do
        grep -q "$2" "$1" 2>/dev/null && return
        sleep 0.05
    done
    echo "waited in vain for '$2' in $1" >&2
    exit 1
}

# Microseconds of broker CPU for each message that arrived.
measure() { # NAME COMMAND...
    local name=$1 port before after got
    shift
    port=$(free_port)
    "$@" -p "$port" >"$scratch/broker" 2>&1 &
    broker=$!
    wait_for "$scratch/broker" "version .* running"
    "$bin/mqtt-sub" -p "$port" -t bench/topic -d -C 1 -W 60 >"$scratch/ready" 2>&1 &
    wait_for "$scratch/ready" Subscribed
    "$bin/mqtt-pub" -p "$port" -t bench/topic -m warm
    wait $! 2>/dev/null || true
    before=$(ticks "$broker")
    "$bin/mqtt-sub" -p "$port" -t bench/topic -C "$messages" -W 30 >"$scratch/got" 2>/dev/null &
    local subscriber=$!
    wait_for_subscriber "$port"
    payloads | "$bin/mqtt-pub" -p "$port" -t bench/topic -l
    wait "$subscriber" || true
    after=$(ticks "$broker")
    kill "$broker"
    wait "$broker" 2>/dev/null || true
    broker=
    got=$(wc -l <"$scratch/got")
    awk -v name="$name" -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" -v got="$got" -v sent="$messages" \
        'BEGIN { printf "%-12s %8.3f us/message   %d of %d arrived\n", name, ticks * 1e6 / hz / got, got, sent }' |
        tee -a "$scratch/$name"
}

payloads() { yes 0123456789012345678901234567890123456789012345678901234567890123 | head -n "$messages" || true; }

# The subscriber says nothing when it is ready: it is sent messages until one arrives.
wait_for_subscriber() {
    for _ in $(seq 100); do
        "$bin/mqtt-pub" -p "$1" -t bench/topic -m ready
        [ -s "$scratch/got" ] && return
        sleep 0.05
    done
    echo "the subscriber did not come up" >&2
    exit 1
}

median() { awk '{ print $2 }' "$scratch/$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for _ in $(seq "$rounds"); do
    measure mosquitto "$mosquitto"
    measure mqtt-broker "$bin/mqtt-broker"
done
awk -v ours="$(median mqtt-broker)" -v theirs="$(median mosquitto)" \
    'BEGIN { printf "ratio of medians: %.3f (mqtt-broker / mosquitto)\n", ours / theirs }'
