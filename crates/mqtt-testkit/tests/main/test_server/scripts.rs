//! Visitors that are scripts: Python with paho-mqtt, and node with MQTT.js.

use super::server::TestServer;
use mqtt_testkit::program::Program;
use mqtt_testkit::strangers;
use std::process::Command;

/// What a script is told by its environment; empty text for what is not said.
#[derive(Debug, Clone, Copy)]
pub struct Scripted {
    port: u16,
    websocket: bool,
    ca: &'static str,
    certificate: &'static str,
    user: &'static str,
    password: &'static str,
}

impl Scripted {
    pub const fn at(port: u16) -> Self {
        Self {
            port,
            websocket: false,
            ca: "",
            certificate: "",
            user: "",
            password: "",
        }
    }

    pub const fn websocket(self) -> Self {
        Self {
            websocket: true,
            ..self
        }
    }

    pub const fn trusting(self, ca: &'static str) -> Self {
        Self { ca, ..self }
    }

    pub const fn showing(self, certificate: &'static str) -> Self {
        Self {
            certificate,
            ..self
        }
    }

    pub const fn user(self, user: &'static str, password: &'static str) -> Self {
        Self {
            user,
            password,
            ..self
        }
    }

    /// Whether it gets in and receives its own message; and what it has said.
    pub fn run(&self, mut command: Command, server: &TestServer) -> (bool, String) {
        let path = |file: &str| {
            if file.is_empty() {
                String::new()
            } else {
                server.files.text(file)
            }
        };
        let (certificate, key) = match self.certificate {
            "" => (String::new(), String::new()),
            name => (path(&format!("{name}.crt")), path(&format!("{name}.key"))),
        };
        command
            .env("PORT", server.port(self.port).to_string())
            .env("WS", if self.websocket { "1" } else { "" })
            .env("CA", path(self.ca))
            .env("CERT", certificate)
            .env("KEY", key)
            .env("MQTT_USER", self.user)
            .env("MQTT_PASS", self.password)
            .env("PYTHONIOENCODING", "utf-8");
        let ended = Program::of(command).finish();
        let got_in = ended.code == 0 && ended.stdout.trim_end() == "γεια";
        (got_in, format!("{}{}", ended.stdout, ended.stderr))
    }
}

/// Subscribes, publishes, prints what comes, and leaves; ends with 1 if it is refused.
const PAHO: &str = r#"
import os, sys, paho.mqtt.client as mqtt
env = lambda name: os.environ[name] or None
client = mqtt.Client(transport="websockets" if env("WS") else "tcp")
if env("CA"):
    client.tls_set(env("CA"), env("CERT"), env("KEY"))
if env("MQTT_USER"):
    client.username_pw_set(env("MQTT_USER"), env("MQTT_PASS"))

def on_connect(client, data, flags, code):
    if code != 0:
        sys.exit("refused: %d" % code)
    client.subscribe("test/own", 1)

def on_message(client, data, message):
    print(message.payload.decode())
    client.disconnect()

client.on_connect, client.on_message = on_connect, on_message
client.on_subscribe = lambda *_: client.publish("test/own", "γεια", qos=1)
client.connect("127.0.0.1", int(env("PORT")))
while True:
    code = client.loop(timeout=30)
    if code != 0:
        sys.exit(0 if client._state == mqtt.mqtt_cs_disconnecting else "ended: %d" % code)
"#;

/// Python, told what to do.
pub fn paho() -> Option<Command> {
    let mut command = strangers::paho()?;
    command.arg(PAHO);
    Some(command)
}

const MQTT_JS: &str = r#"
const fs = require('fs'), mqtt = require('mqtt'), env = process.env
const read = name => env[name] ? fs.readFileSync(env[name]) : undefined
const scheme = (env.WS ? 'ws' : 'mqtt') + (env.CA ? 's' : '')
const client = mqtt.connect(`${scheme}://127.0.0.1:${env.PORT}`, {
  ca: read('CA'), cert: read('CERT'), key: read('KEY'),
  username: env.MQTT_USER || undefined, password: env.MQTT_PASS || undefined,
  reconnectPeriod: 0,
})
const fail = why => { console.error(String(why)); process.exit(1) }
client.on('error', fail)
client.on('close', () => fail('closed'))
client.on('connect', () => client.subscribe('test/own', { qos: 1 }, () => client.publish('test/own', 'γεια', { qos: 1 })))
client.on('message', (topic, payload) => { console.log(payload.toString()); client.removeAllListeners('close'); client.end(false, () => process.exit(0)) })
"#;

/// node with MQTT.js, told what to do.
pub fn mqtt_js() -> Option<Command> {
    let mut command = strangers::mqtt_js()?;
    command.arg(MQTT_JS);
    Some(command)
}
