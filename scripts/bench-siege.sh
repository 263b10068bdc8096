#!/usr/bin/env bash
# How long a new client takes until it is let in, while a thousand connections to plain, TLS and
# WebSocket listeners never finish their handshakes. Prints the median and the longest of 50 tries,
# without the crowd and with it; ends with 1 if the crowd costs more than 100 ms.
#
#   scripts/bench-siege.sh [CONNECTIONS]        default: 1000
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/bench-common.sh

build -p mqtt-broker
build -p mqtt-testkit --bin test-certificates
cd "$scratch"
"$bin/test-certificates" . >/dev/null
base=$((20000 + RANDOM % 20000))
cat >broker.conf <<CONF
allow_anonymous true
log_dest none
listener $base 127.0.0.1
listener $((base + 1)) 127.0.0.1
protocol websockets
listener $((base + 2)) 127.0.0.1
certfile server.crt
keyfile server.key
CONF
"$bin/mqtt-broker" -c broker.conf &
broker=$!
python3 - "$base" "${1:-1000}" <<'PYTHON'
import resource, socket, sys, time

base, crowd_size = int(sys.argv[1]), int(sys.argv[2])
limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
CONNECT = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01"
# The beginning of a CONNECT, of an HTTP request, of a TLS greeting.
BEGINNINGS = [CONNECT[:5], b"GET /mqtt HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"]

def let_in():
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", base)) as client:
        client.sendall(CONNECT + b"w")
        answer = client.recv(4)
    if answer != b"\x20\x02\x00\x00":
        raise SystemExit(f"refused: {answer!r}")
    return (time.monotonic() - start) * 1000

def measure(name):
    times = sorted(let_in() for _ in range(50))
    print(f"{name:>24}: median {times[25]:6.2f} ms, longest {times[-1]:6.2f} ms")
    return times

while True:
    try:
        socket.create_connection(("127.0.0.1", base + 2)).close()
        break
    except OSError:
        time.sleep(0.01)
alone = measure("alone")
crowd = []
for number in range(crowd_size):
    one = socket.create_connection(("127.0.0.1", base + number % 3))
    one.sendall(BEGINNINGS[number % 3])
    crowd.append(one)
besieged = measure(f"beside {crowd_size} half-open")
sys.exit(besieged[-1] - alone[-1] > 100)
PYTHON
