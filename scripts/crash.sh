#!/bin/sh
# Kills the broker with SIGKILL, N times (200), while clients publish and subscribe with QoS 1 and
# 2, and checks every acknowledgement that it has given: lost 0, doubled 0, order kept. Then lives
# through every history of MQTT_STEPS (3) steps with a fault of a simulated disk at each write.
#
#   scripts/crash.sh [N]          MQTT_SEED=7 scripts/crash.sh 50 repeats one run
set -eu
cd "$(dirname "$0")/.."
MQTT_CRASHES="${1:-200}"
MQTT_SEED="${MQTT_SEED:-$(date +%s)}"
MQTT_STEPS="${MQTT_STEPS:-3}"
export MQTT_CRASHES MQTT_SEED MQTT_STEPS
exec cargo test --quiet -p mqtt-broker --test main -- --nocapture crash:: engine_histories::
