#!/usr/bin/env bash
# The chat: everyone has a topic of their own, and hears all of them. Nothing is lost, and the lines
# of each person stay in order.
. "$(dirname "$0")/common.sh"

names=(maria nikos Ελένη Γιάννης)

step "Everybody listens to everybody."
for name in "${names[@]}"; do
    subscribe "$name" -t "$topic/iotlabchat/+" -q 1 -v -C $((3 * ${#names[@]}))
done

step "Everybody types three lines (-l sends each line as a message), all at the same time."
writers=()
for name in "${names[@]}"; do
    printf 'Name: %s %s\n' "$name" hello "$name" καλημέρα "$name" bye |
        publish -t "$topic/iotlabchat/$name" -l -q 1 -i "$id-$name" &
    writers+=($!)
done
for writer in "${writers[@]}"; do
    wait "$writer" || fail "a publisher ended with an error"
done

for name in "${names[@]}"; do
    wait "${process[$name]}" || fail "$name did not get all the lines: $(cat "$outputs/$name")"
    step "What $name has heard:"
    grep "^$topic" "$outputs/$name" | sed "s|^$topic/|  |"
    for other in "${names[@]}"; do
        said=$(grep "^$topic/iotlabchat/$other " "$outputs/$name" | sed 's/.* //' | tr '\n' ' ')
        [[ $said == "hello καλημέρα bye " ]] || fail "$name heard from $other: $said"
    done
done
