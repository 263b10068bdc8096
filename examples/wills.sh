#!/usr/bin/env bash
# Function 6, wills: what the broker says in the name of a client that vanished.
. "$(dirname "$0")/common.sh"

# A sensor; it is a subscriber here, because that one stays until it is ended.
start_sensor() { # NAME
    subscribe "$1" -t "$topic/orders" -i "$id-$1" \
        --will-topic "$topic/status/$1" --will-payload "gone" --will-qos 1
}

vanish() { # NAME
    { kill -KILL "${process[$1]}" && wait "${process[$1]}"; } 2>/dev/null || true
}

subscribe watcher -t "$topic/status/+" -v -q 1 -C 2

step "Sensor one says good-bye with DISCONNECT: the broker forgets its will."
start_sensor one
leave one

step "Sensor two is ended by force: the broker publishes its will."
start_sensor two
vanish two

step "So it does for sensor three."
start_sensor three
vanish three

expect watcher "$topic/status/two gone" "$topic/status/three gone"
