//! `compare`: the same scenario with several brokers, each on its own port and ended afterwards.

use crate::*;
use mqtt_testkit::tools::tool;

#[test]
fn brokers_have_their_turns_and_are_put_side_by_side() {
    // It lies beside mqtt-bench.
    tool("mqtt-broker");
    let ended = run(
        "compare --scenario pairs-q0 --rounds 2 --duration 100ms --pause 10ms --only mqtt-broker,rumqttd --json",
    );
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (0, ""),
        "{}",
        ended.stdout
    );
    let result: Value = serde_json::from_str(&ended.stdout).unwrap();
    let rows = result["results"].as_array().unwrap();
    let brokers: Vec<_> = rows
        .iter()
        .map(|row| row["broker"].as_str().unwrap())
        .collect();
    assert_eq!(brokers, ["mqtt-broker", "rumqttd"]);
    for row in rows {
        assert_eq!(row["rounds"].as_array().unwrap().len(), 2, "{row:#}");
        assert!(row["rounds"][1]["stolen"].is_f64(), "{row:#}");
        assert!(
            (1..=2).contains(&row["counted"].as_u64().unwrap()),
            "{row:#}"
        );
        assert!(
            row["median"]["per_second"].as_f64().unwrap() > 0.0,
            "{row:#}"
        );
        if cfg!(target_os = "linux") {
            assert!(
                row["median"]["broker_cpu_us_each"].as_f64().unwrap() > 0.0,
                "{row:#}"
            );
        }
    }
    assert!(
        result["conditions"]["machine"].is_string() && result["conditions"]["date"].is_string()
    );
}

#[test]
fn the_table_has_ratios_and_a_broker_that_fails_is_named() {
    tool("mqtt-broker");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mqtt-bench"));
    command.args([
        "compare",
        "--scenario",
        "connect",
        "--rounds",
        "1",
        "--duration",
        "100ms",
    ]);
    command.args([
        "--only",
        "mqtt-broker,none",
        "--broker",
        "none=false {port}",
    ]);
    let ended = Program::of(command).finish();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("none in round 1: it cannot be started"),
        "{}",
        ended.stderr
    );
    for part in [
        "date ",
        "machine ",
        "load ",
        "connect: 50 clients",
        "mqtt-broker",
        "failed 1 of 1",
    ] {
        assert!(ended.stdout.contains(part), "'{part}' in {}", ended.stdout);
    }
}

#[test]
fn csv_has_a_line_for_each_broker_and_mistakes_are_explained() {
    tool("mqtt-broker");
    let ended = run(
        "compare --scenario latency-q1 --rounds 1 --duration 50ms --only mqtt-broker --csv --tuned",
    );
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}{}", ended.stdout, ended.stderr);
    assert!(
        lines[1].starts_with("latency-q1,mqtt-broker,"),
        "{}",
        lines[1]
    );
    for (line, expected) in [
        ("compare --scenario fan", "There is no scenario 'fan'"),
        ("compare --only hive", "there is no broker 'hive' here"),
        ("compare --broker x", "the name is missing"),
        ("compare --rounds 0", "--rounds needs a number"),
        ("compare --pause soon", "--pause"),
        ("compare --plot x.svg", "--plot draws one run"),
    ] {
        let ended = run(line);
        assert_eq!(ended.code, 1, "{line}");
        assert!(ended.stderr.contains(expected), "{line}: {}", ended.stderr);
    }
}
