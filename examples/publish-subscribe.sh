#!/usr/bin/env bash
# Function 1, publish and subscribe: every subscriber gets a message once, and the publisher
# knows nothing about them.
. "$(dirname "$0")/common.sh"

step "Three subscribers wait for the news."
for name in anna babis chloe; do
    subscribe "$name" -t "$topic/news" -C 2
done

step "One publisher sends two messages, and goes."
publish -t "$topic/news" -m "the bridge is open"
publish -t "$topic/news" -m "the bridge is closed"

for name in anna babis chloe; do
    expect "$name" "the bridge is open" "the bridge is closed"
done

step "Whoever comes now is too late: these messages were not retained."
subscribe dora -t "$topic/news" -C 1
publish -t "$topic/news" -m "the bridge is open again"
expect dora "the bridge is open again"
