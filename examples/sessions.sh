#!/usr/bin/env bash
# Function 5, clean and durable sessions: what happens to messages while a subscriber is away.
. "$(dirname "$0")/common.sh"

step "A subscriber with a durable session (-c, and a name: -i) comes and goes."
subscribe house -t "$topic/lamp" -q 1 -c -i "$id-house"
leave house

step "So does one with a clean session."
subscribe guest -t "$topic/lamp" -q 1 -i "$id-guest"
leave guest

step "Three messages are published while both are away."
for message in on brighter off; do
    publish -t "$topic/lamp" -m "$message" -q 1
done

step "The first comes back, and gets all three in order."
subscribe house -t "$topic/lamp" -q 1 -c -i "$id-house" -C 3
expect house on brighter off

step "The second has missed them."
subscribe guest -t "$topic/lamp" -q 1 -i "$id-guest" -C 1
publish -t "$topic/lamp" -m "on again" -q 1
expect guest "on again"

step "To connect once without -c ends the durable session."
publish -t "$topic/good-bye" -m "" -i "$id-house"
publish -t "$topic/lamp" -m "lost" -q 1
subscribe house -t "$topic/lamp" -q 1 -i "$id-house" -C 1
publish -t "$topic/lamp" -m "heard" -q 1
expect house "heard"
