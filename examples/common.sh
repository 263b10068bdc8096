# What the exercises share: they read this file in their first lines.
#
#   HOST=192.168.1.23 PORT=1883 ./chat.sh      uses that broker (default: localhost, port 1883)
#
# mqtt-pub and mqtt-sub are found in the PATH, or where `cargo build --release` puts them.
set -eu

HOST=${HOST:-localhost}
PORT=${PORT:-1883}
PATH=$PATH:$(dirname "${BASH_SOURCE[0]}")/../target/release

# Topics and client ids of this run begin with these, because others may use the same broker.
topic=exercise/$$
id=exercise-$$

# What each subscriber has printed, in a file of its name, and its process number.
outputs=$(mktemp -d)
declare -A process=()
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$outputs"' EXIT

step() { printf '\n%s\n' "$*"; }

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# Publishes; the arguments are those of mqtt-pub.
publish() { mqtt-pub -h "$HOST" -p "$PORT" "$@"; }

# Starts the subscriber NAME; the other arguments are those of mqtt-sub.
# It goes on when the broker knows the subscription, so that no message comes too early.
subscribe() { # NAME ARGUMENTS...
    local name=$1
    shift
    mqtt-sub -h "$HOST" -p "$PORT" -d -W 20 "$@" >"$outputs/$name" 2>&1 &
    process[$name]=$!
    until grep -q '^Subscribed' "$outputs/$name"; do
        # A kept session may bring all its messages before the answer to SUBSCRIBE.
        kill -0 "${process[$name]}" 2>/dev/null || break
        sleep 0.02
    done
}

# Ends a subscriber as Ctrl-C does.
leave() { # NAME
    kill "${process[$1]}"
    wait "${process[$1]}" || true
}

# Waits until the subscriber NAME has all its messages (-C), and compares them with the lines given.
expect() { # NAME LINES...
    local name=$1 got
    shift
    wait "${process[$name]}" || true
    got=$(grep -v -e '^Client ' -e '^Subscribed ' "$outputs/$name" || true)
    [[ $got == "$(printf '%s\n' "$@")" ]] ||
        fail "$(printf '%s should have got\n%s\nand got\n%s' "$name" "$(printf '%s\n' "$@")" "$got")"
    printf '%s\n' "$@" | sed "s|^|  $name got: |"
}
