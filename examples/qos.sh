#!/usr/bin/env bash
# Function 3, quality of service: a message arrives with the smaller QoS of publisher and subscriber.
. "$(dirname "$0")/common.sh"

for of_publisher in 0 1 2; do
    for of_subscriber in 0 1 2; do
        name=reader-$of_publisher-$of_subscriber
        smaller=$((of_publisher < of_subscriber ? of_publisher : of_subscriber))

        step "Published with QoS $of_publisher, subscribed with QoS $of_subscriber:"
        subscribe "$name" -t "$topic/door" -q "$of_subscriber" -C 1
        publish -t "$topic/door" -m "open" -q "$of_publisher"
        expect "$name" "open"
        grep -q "received PUBLISH (d0, q$smaller, " "$outputs/$name" ||
            fail "it should arrive with QoS $smaller: $(cat "$outputs/$name")"
        echo "  It arrived with QoS $smaller."
    done
done

step "What a publisher does for QoS 2 (-d):"
publish -t "$topic/door" -m "open" -q 2 -i "$id" -d | tee "$outputs/publisher"
for packet in PUBLISH PUBREC PUBREL PUBCOMP; do
    grep -q "$packet" "$outputs/publisher" || fail "there should be a $packet"
done
