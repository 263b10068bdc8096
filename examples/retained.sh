#!/usr/bin/env bash
# Function 4, retained messages: the broker keeps the last one of each topic for those who come later.
. "$(dirname "$0")/common.sh"

step "Nobody listens while two temperatures are published with -r."
publish -t "$topic/temp" -m 20.5 -r
publish -t "$topic/temp" -m 21.0 -r

step "A subscriber comes, and gets the last one at once. It is marked as retained (r1)."
subscribe late -t "$topic/temp" -C 2
publish -t "$topic/temp" -m 21.5 -r
expect late 21.0 21.5
grep -q 'received PUBLISH (d0, q0, r1' "$outputs/late" || fail "the first should be marked r1"

step "The one that came while it was listening is an ordinary one (r0)."
grep -q 'received PUBLISH (d0, q0, r0' "$outputs/late" || fail "the second should be marked r0"

step "An empty message with -r clears the topic: the next subscriber gets nothing."
publish -t "$topic/temp" -n -r
subscribe later -t "$topic/temp" -t "$topic/end" -C 1
publish -t "$topic/end" -m "nothing but this"
expect later "nothing but this"
