//! Python's paho-mqtt at our broker: the client of most scripts in the field.

use mqtt_testkit::broker::BrokerProcess;
use mqtt_testkit::program::Program;
use mqtt_testkit::strangers::paho;

/// Connects, subscribes, publishes at every QoS and prints what comes back; then leaves.
const EXCHANGE: &str = r#"
import sys, paho.mqtt.client as mqtt
port, version = int(sys.argv[1]), int(sys.argv[2])
waiting = 3

def on_connect(client, data, flags, code, properties=None):
    print("connected", int(getattr(code, "value", code)))
    client.subscribe([("αίθουσα/+", 2)])

def on_subscribe(client, data, mid, granted, properties=None):
    print("granted", int(getattr(granted[0], "value", granted[0])))
    for qos in range(3):
        client.publish("αίθουσα/%d" % qos, "τιμή %d" % qos, qos=qos)

def on_message(client, data, message):
    global waiting
    print(message.topic, message.payload.decode(), message.qos, bool(message.retain))
    waiting -= 1
    if waiting == 0:
        client.disconnect()

client = mqtt.Client(client_id="paho", protocol=version)
client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
client.connect("127.0.0.1", port)
client.loop_forever()
print("left")
"#;

/// Leaves a retained message and a will, comes back to its session, and is cut off.
const SESSION: &str = r#"
import sys, socket, paho.mqtt.client as mqtt
from paho.mqtt.properties import Properties
from paho.mqtt.packettypes import PacketTypes
port, version = int(sys.argv[1]), int(sys.argv[2])

def make(name):
    if version == 5:
        client = mqtt.Client(client_id=name, protocol=5)
    else:
        client = mqtt.Client(client_id=name, protocol=version, clean_session=False)
    client.events = []
    def on_connect(client, data, flags, code, properties=None):
        client.events.append("connected")
        print(name, "connected, session present:", flags["session present"])
    def on_message(client, data, message):
        print(name, message.topic, message.payload.decode(), bool(message.retain))
        client.events.append(message.payload.decode())
    client.on_connect, client.on_message = on_connect, on_message
    client.on_subscribe = lambda *_: client.events.append("subscribed")
    client.on_publish = lambda *_: client.events.append("published")
    return client

def connect(client):
    if version == 5:
        lasting = Properties(PacketTypes.CONNECT)
        lasting.SessionExpiryInterval = 100
        client.connect("127.0.0.1", port, clean_start=False, properties=lasting)
    else:
        client.connect("127.0.0.1", port)
    wait(client, "connected")

def wait(client, event):
    while event not in client.events:
        if client.loop(timeout=30) != 0:
            sys.exit("the connection has gone")
    client.events.remove(event)

first, second = make("first"), make("second")
connect(first)
first.subscribe("state", 1)
wait(first, "subscribed")
first.disconnect()
first.loop()

second.will_set("state", "gone", qos=1, retain=True)
connect(second)
second.publish("state", "here", qos=1, retain=True)
wait(second, "published")

connect(first)
wait(first, "here")
second.socket().shutdown(socket.SHUT_RDWR)
wait(first, "gone")
"#;

fn run(script: &str, broker: &BrokerProcess, protocol: u8) -> Option<Vec<String>> {
    let mut command = paho()?;
    command
        .arg(script)
        .arg(broker.port().to_string())
        .arg(protocol.to_string())
        .env("PYTHONIOENCODING", "utf-8");
    let ended = Program::of(command).finish();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    Some(ended.stdout.lines().map(str::to_owned).collect())
}

/// 3.1, 3.1.1 and 5 by the numbers that paho has for them.
const PROTOCOLS: [u8; 3] = [3, 4, 5];

#[test]
fn paho_exchanges_messages_at_our_broker() {
    let broker = BrokerProcess::open();
    for protocol in PROTOCOLS {
        let Some(lines) = run(EXCHANGE, &broker, protocol) else {
            return;
        };
        assert_eq!(lines[..2], ["connected 0", "granted 2"]);
        // The order holds within a QoS only: QoS 2 is confirmed in more steps than QoS 0.
        let mut messages = lines[2..5].to_vec();
        messages.sort();
        assert_eq!(
            messages,
            [0, 1, 2].map(|qos| format!("αίθουσα/{qos} τιμή {qos} {qos} False")),
            "protocol {protocol}"
        );
        assert_eq!(lines[5..], ["left"]);
    }
}

#[test]
fn paho_comes_back_to_its_session_and_hears_a_will_at_our_broker() {
    for protocol in PROTOCOLS {
        let broker = BrokerProcess::open();
        let Some(lines) = run(SESSION, &broker, protocol) else {
            return;
        };
        // 3.1 has no bit to say it with.
        let present = u8::from(protocol != 3);
        assert_eq!(
            lines,
            [
                "first connected, session present: 0",
                "second connected, session present: 0",
                &format!("first connected, session present: {present}"),
                "first state here False",
                "first state gone False",
            ],
            "protocol {protocol}"
        );
    }
}
