# What the bench-*.sh scripts share: sourced by each of them in the folder of the workspace, not run.
# shellcheck shell=bash
#
# Sets $bin (after `build`), $scratch (a folder that is removed at the end), and ends the process
# whose number is in $broker.

scratch=$(mktemp -d)
broker=
cleanup() { [ -z "$broker" ] || kill "$broker" 2>/dev/null || true; rm -rf "$scratch"; }
trap cleanup EXIT
# Nobody's own options files, and a decimal point in what awk prints.
export XDG_CONFIG_HOME=$scratch LC_ALL=C

# Builds packages and says in $bin where their programs are.
build() { # CARGO'S OPTIONS...
    cargo build --release --quiet "$@"
    bin=$(cd "${CARGO_TARGET_DIR:-target}/release" && pwd)
}

# Prints where Mosquitto's broker is: Debian has it where only root looks.
find_mosquitto() {
    PATH=$PATH:/usr/sbin command -v mosquitto || {
        echo "There is no mosquitto to compare with. Type: sudo apt-get install mosquitto" >&2
        return 2
    }
}

# A port that nobody listens on.
free_port() {
    local port
    while port=$((20000 + RANDOM % 20000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

wait_for() { # FILE PATTERN [SECONDS]
    for _ in $(seq $((${3:-30} * 100))); do
        grep -aq "$2" "$1" 2>/dev/null && return
        sleep 0.01
    done
    echo "waited in vain for '$2' in $1" >&2
    exit 1
}

# Of the numbers in a file, one a line.
median() { # FILE
    sort -n "$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}
