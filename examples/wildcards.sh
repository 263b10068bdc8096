#!/usr/bin/env bash
# Function 2, topics and subscriptions: what '+' and '#' match.
. "$(dirname "$0")/common.sh"

topics=(
    home
    home/kitchen
    home/kitchen/temp
    home/kitchen/window/left
    home//temp
    Home/kitchen/temp
    κήπος/θερμοκρασία
)

# check FILTER TOPICS...: a subscriber to the filter gets these topics, and no others.
check() {
    local filter=$1 one
    shift
    step "$filter"
    # The last message shows that nothing else is to come.
    subscribe reader -t "$topic/$filter" -t "$topic-end" -v -C $(($# + 1))
    for one in "${topics[@]}"; do
        publish -t "$topic/$one" -m "*"
    done
    publish -t "$topic-end" -m "*"
    expected=("${@/#/$topic/}" "$topic-end")
    expect reader "${expected[@]/%/ *}"
}

check "home" home
check "home/+" home/kitchen
check "home/+/temp" home/kitchen/temp home//temp
check "home/#" home home/kitchen home/kitchen/temp home/kitchen/window/left home//temp
check "+/kitchen/temp" home/kitchen/temp Home/kitchen/temp
check "#" "${topics[@]}"
check "κήπος/+" κήπος/θερμοκρασία
