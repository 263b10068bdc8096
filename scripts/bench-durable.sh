#!/usr/bin/env bash
# What persistence costs: mqtt-broker, which has each promise on the disk before it gives it, beside
# Debian's mosquitto, which saves every half hour. In turn (A B A B), with the same clients:
#
#   one       MESSAGES messages of 100 bytes at QoS 1 from one publisher to an online durable subscriber, which
#             has not asked for a clean session (MQTT 3.1.1); both brokers as they come, without limits of queues
#   ten       the same number from ten publishers at once
#   queue     QUEUED messages of 100 bytes for an absent client; the broker is killed (kill -9), started
#             again, and asked for all of them: time until it runs, most memory, how many arrive
#
# Prints each run, and the ratios of the medians.
#
#   scripts/bench-durable.sh [MESSAGES] [ROUNDS] [QUEUED]   default: 300000 messages, 5 rounds, 1000000
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/bench-common.sh

messages=${1:-300000}
rounds=${2:-5}
queued=${3:-1000000}
mosquitto=$(find_mosquitto)
build -p mqtt-bench -p mqtt-broker -p mqtt-pub -p mqtt-sub

now() { date +%s.%N; }
lines() { yes "$(printf '%0100d' 0)" | head -n "$1" || true; }

# Both with a store of their own, in an empty folder, and no limit on what waits.
configure() { # WHO
    port=$(free_port)
    rm -rf "$scratch/store"
    mkdir "$scratch/store"
    chmod 777 "$scratch" "$scratch/store"
    {
        printf 'listener %s 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n' "$port"
        printf 'persistence true\npersistence_location %s/\n' "$scratch/store"
        [ "$1" = debian ] || echo 'persistence_sync always'
    } >"$scratch/conf"
}

start() { # WHO
    : >"$scratch/broker"
    if [ "$1" = ours ]; then
        "$bin/mqtt-broker" -c "$scratch/conf" >"$scratch/broker" 2>&1 &
    else
        "$mosquitto" -c "$scratch/conf" >"$scratch/broker" 2>&1 &
    fi
    broker=$!
    # It may have a million messages to read.
    wait_for "$scratch/broker" "version .* running" 120
}

stop() { # SIGNAL
    kill "-$1" "$broker"
    wait "$broker" 2>/dev/null || true
    broker=
}

# One program is publishers and subscriber, so that these leave most of the processor to the broker.
rate() { # WHO PUBLISHERS
    configure "$1"
    start "$1"
    "$bin/mqtt-bench" fan-in -p "$port" -c "$2" -q 1 -s 100 -n "$messages" --disable-clean-session -i bench-%i --quiet >"$scratch/said"
    awk '$1 == "received" && $3 == "messages:" { gsub(",", ""); print $4 }' "$scratch/said" >>"$scratch/rate.$2.$1"
    # User and system time, in hundredths of a second.
    awk -v n="$messages" '{ print ($14 + $15) * 10000 / n }' "/proc/$broker/stat" >>"$scratch/cpu.$2.$1"
    printf '  %-7s %2d publishers %8d messages/s, %5.2f us of processor each\n' \
        "$1" "$2" "$(tail -n 1 "$scratch/rate.$2.$1")" "$(tail -n 1 "$scratch/cpu.$2.$1")"
    stop TERM
}

queue() {
    local began ready most arrived
    configure ours
    start ours
    "$bin/mqtt-sub" -p "$port" -i reader -c -q 1 -t bench/# -E
    lines "$queued" >"$scratch/lines"
    began=$(now)
    "$bin/mqtt-pub" -p "$port" -t bench/1 -q 1 -l <"$scratch/lines"
    printf '  taken at        %8d messages/s\n' "$(awk -v n="$queued" -v a="$began" -v b="$(now)" 'BEGIN { print int(n / (b - a)) }')"
    stop KILL
    printf '  the file has    %8d MiB\n' "$(du -m "$scratch/store" | awk '{ print $1 }')"
    began=$(now)
    start ours
    ready=$(now)
    most=$(awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$broker/status")
    printf '  runs again in   %8.2f s      asked: less than 3\n' "$(awk -v a="$began" -v b="$ready" 'BEGIN { print b - a }')"
    printf '  with at most    %8d MiB    asked: at most 400\n' "$most"
    arrived=$("$bin/mqtt-sub" -p "$port" -i reader -c -q 1 -t bench/# -C "$queued" -W 300 | wc -l)
    most=$(awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$broker/status")
    printf '  then arrived    %8d of %d, with at most %d MiB\n' "$arrived" "$queued" "$most"
    stop TERM
}

for _ in $(seq "$rounds"); do
    for who in ours debian; do
        rate "$who" 1
        rate "$who" 10
    done
done
echo
printf '%-52s %9s %9s %7s\n' "medians of $rounds runs" ours debian ratio
compare() { # WHAT FORMAT NAME MORE
    local n
    for n in 1 10; do
        awk -v what="$1, $n publishers" -v a="$(median "$scratch/$3.$n.ours")" -v b="$(median "$scratch/$3.$n.debian")" \
            -v more="$4" "BEGIN { printf \"%-52s $2 $2 %7.1f   %s\n\", what, a, b, (a > b ? a / b : b / a), more }"
    done
}
compare "messages a second" %9d rate "asked: at least 10"
compare "microseconds of processor a message" %9.2f cpu ""
echo
echo "$queued messages for an absent client:"
queue
