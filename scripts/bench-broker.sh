#!/usr/bin/env bash
# Broker CPU per message, mqtt-broker beside Debian's mosquitto: one publisher, one subscriber,
# QoS 0, 64 bytes. Runs both brokers in turn and prints each run and the ratio of the medians.
#
#   scripts/bench-broker.sh [MESSAGES] [ROUNDS]        default: 1000000 messages, 3 rounds
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/bench-common.sh

messages=${1:-1000000}
rounds=${2:-3}
mosquitto=$(find_mosquitto)
build -p mqtt-broker -p mqtt-pub -p mqtt-sub

# User and system time of a process, in clock ticks.
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

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
        tee "$scratch/line"
    awk '{ print $2 }' "$scratch/line" >>"$scratch/$name"
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

for _ in $(seq "$rounds"); do
    measure mosquitto "$mosquitto"
    measure mqtt-broker "$bin/mqtt-broker"
done
awk -v ours="$(median "$scratch/mqtt-broker")" -v theirs="$(median "$scratch/mosquitto")" \
    'BEGIN { printf "ratio of medians: %.3f (mqtt-broker / mosquitto)\n", ours / theirs }'
