#!/bin/sh
# Kills the broker with SIGKILL, N times (200), while clients publish and subscribe with QoS 1 and
# 2, and checks every acknowledgement that it has given: lost 0, doubled 0, order kept.
#
#   scripts/crash.sh [N]          MQTT_SEED=7 scripts/crash.sh 50 repeats one run
set -eu
cd "$(dirname "$0")/.."
MQTT_CRASHES="${1:-200}"
MQTT_SEED="${MQTT_SEED:-$(date +%s)}"
export MQTT_CRASHES MQTT_SEED
exec cargo test --quiet -p mqtt-broker --test main -- --nocapture crash::
