#!/usr/bin/env bash
# The clients beside Debian's mosquitto_pub and mosquitto_sub, on the same broker, in turn (A B A B):
#
#   publish 0    LINES lines of 50 bytes at QoS 0 from standard input    CPU of the publisher
#   publish 1    LINES/10 lines at QoS 1                                 wall time
#   receive      LINES messages of 50 bytes into a file                  CPU of the subscriber
#   memory       the most that mqtt-pub ever held, for a tenth of the lines and for all
#
# Prints each run and a table with the ratios of the medians.
#
#   scripts/bench-clients.sh [LINES] [ROUNDS]          default: 1000000 lines, 3 rounds
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/bench-common.sh

lines=${1:-1000000}
rounds=${2:-3}
for tool in mosquitto mosquitto_pub mosquitto_sub; do
    PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null || {
        echo "There is no $tool to compare with. Type: sudo apt-get install mosquitto mosquitto-clients" >&2
        exit 2
    }
done

build -p mqtt-broker -p mqtt-pub -p mqtt-sub

# Our broker: Mosquitto's would be the bottleneck of what is measured. Its limits are out of the way.
port=$(free_port)
printf 'listener %s 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n' "$port" >"$scratch/conf"
"$bin/mqtt-broker" -c "$scratch/conf" >"$scratch/broker" 2>&1 &
broker=$!
wait_for "$scratch/broker" "version .* running"

# Runs a command and notes "CPU seconds, wall seconds" in $scratch/cost.
cost() {
    python3 -c '
import os, sys, time
start = time.monotonic()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(child, 0)
with open(sys.argv[1], "w") as out:
    print(used.ru_utime + used.ru_stime, time.monotonic() - start, file=out)
sys.exit(os.waitstatus_to_exitcode(status))
' "$scratch/cost" "$@"
}

# Runs a command and prints the most kilobytes it ever held: looked at while it runs, because what
# the system says afterwards includes the program that started it.
memory() {
    python3 -c '
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:])
most = 0
while child.poll() is None:
    try:
        lines = open(f"/proc/{child.pid}/status").read().splitlines()
    except OSError:
        break
    most = max([most] + [int(line.split()[1]) for line in lines if line.startswith("VmHWM")])
    time.sleep(0.002)
print(most)
sys.exit(child.wait())
' "$@"
}

input() { yes 01234567890123456789012345678901234567890123456789 | head -n "$1" || true; }
input "$lines" >"$scratch/all"
input $((lines / 10)) >"$scratch/tenth"

note() { # WHAT WHO CPU|WALL
    local cpu wall
    read -r cpu wall <"$scratch/cost"
    if [ "$3" = CPU ]; then echo "$cpu"; else echo "$wall"; fi >>"$scratch/$1.$2"
    printf '  %-10s %-8s cpu %6.2f s   wall %6.2f s\n' "$1" "$2" "$cpu" "$wall"
}

publish0() { # WHO PROGRAM
    cost "$2" -p "$port" -t bench/nobody -l <"$scratch/all"
    note publish-0 "$1" CPU
}

publish1() { # WHO PROGRAM
    cost "$2" -p "$port" -t bench/nobody -q 1 -l <"$scratch/tenth"
    note publish-1 "$1" WALL
}

# The subscriber is up when its first message is there; that one does not count.
receive() { # WHO PROGRAM
    local topic=bench/$1/$RANDOM subscriber
    : >"$scratch/got"
    cost "$2" -p "$port" -t "$topic" -C $((lines + 2)) >"$scratch/got" 2>"$scratch/errors" &
    subscriber=$!
    "$bin/mqtt-pub" -p "$port" -t "$topic" -r -m ready
    wait_for "$scratch/got" ready
    "$bin/mqtt-pub" -p "$port" -t "$topic" -r -n
    feed "$topic"
    wait "$subscriber" || { cat "$scratch/errors" >&2; exit 1; }
    note receive "$1" CPU
}

# In portions, each of which waits until the one before is written: a broker drops messages at QoS 0
# for a subscriber that is too slow for them.
feed() { # TOPIC
    local sent=0 portion
    for portion in "$scratch"/portion.*; do
        "$bin/mqtt-pub" -p "$port" -t "$1" -l <"$portion"
        sent=$((sent + $(stat -c %s "$portion")))
        for _ in $(seq 6000); do
            # "ready" and its end of line, and the empty message that removed it, come on top.
            [ "$(stat -c %s "$scratch/got")" -ge $((sent + 6)) ] && break
            sleep 0.01
        done
    done
}
split -l 20000 "$scratch/all" "$scratch/portion."

for _ in $(seq "$rounds"); do
    for who in ours debian; do
        if [ "$who" = ours ]; then pub=$bin/mqtt-pub sub=$bin/mqtt-sub; else pub=mosquitto_pub sub=mosquitto_sub; fi
        publish0 "$who" "$pub"
        publish1 "$who" "$pub"
        receive "$who" "$sub"
    done
done

row() { # TITLE NAME WANTED
    awk -v title="$1" -v a="$(median "$scratch/$2.ours")" -v b="$(median "$scratch/$2.debian")" -v wanted="$3" \
        'BEGIN { printf "%-42s %8.2f %8.2f %8.2f   at most %s\n", title, a, b, a / b, wanted }'
}
echo
printf '%-42s %8s %8s %8s\n' "medians of $rounds runs, seconds" ours debian ratio
row "publish $lines lines, QoS 0: CPU" publish-0 0.10
row "publish $((lines / 10)) lines, QoS 1: wall" publish-1 1.00
row "receive $lines messages: CPU" receive 0.20
printf 'most memory of mqtt-pub -l: %s kB for a tenth of the lines, %s kB for all\n' \
    "$(memory "$bin/mqtt-pub" -p "$port" -t bench/nobody -l <"$scratch/tenth")" \
    "$(memory "$bin/mqtt-pub" -p "$port" -t bench/nobody -l <"$scratch/all")"
