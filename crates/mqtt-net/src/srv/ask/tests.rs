//! Name servers on loopback that answer well, late, at length, and wrongly.

use super::*;
use simple_dns::ResourceRecord;
use simple_dns::rdata::SRV;
use std::time::Duration;
use tokio::net::TcpListener;

const NAME: &str = "_mqtt._tcp.example.org";

fn resolvers(servers: &[SocketAddr]) -> Resolvers {
    Resolvers {
        servers: servers.to_vec(),
        timeout: Duration::from_secs(5),
        attempts: 2,
    }
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// The answer to a question, with one record for each port.
fn reply(question: &[u8], ports: &[u16], change: impl FnOnce(&mut Packet<'_>)) -> Vec<u8> {
    let asked = Packet::parse(question).unwrap();
    let mut packet = asked.into_reply();
    for port in ports {
        let record = RData::SRV(SRV {
            priority: 1,
            weight: 2,
            port: *port,
            target: Name::new_unchecked("broker.example.org"),
        });
        let name = Name::new_unchecked(NAME);
        packet
            .answers
            .push(ResourceRecord::new(name, CLASS::IN, 60, record));
    }
    change(&mut packet);
    packet.build_bytes_vec().unwrap()
}

/// A name server that answers each question with these datagrams.
async fn server(answers: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1024];
        loop {
            let (count, from) = socket.recv_from(&mut buffer).await.unwrap();
            for answer in answers(&buffer[..count]) {
                socket.send_to(&answer, from).await.unwrap();
            }
        }
    });
    address
}

#[tokio::test]
async fn the_records_of_a_name_are_read() {
    let good = server(|question| vec![reply(question, &[1883, 1884], |_| {})]).await;
    let found = records(NAME, &resolvers(&[good]), deadline())
        .await
        .unwrap();
    let expected = Record {
        priority: 1,
        weight: 2,
        port: 1883,
        target: "broker.example.org".into(),
    };
    assert_eq!(found[0], expected);
    assert_eq!(found.len(), 2);
}

#[tokio::test]
async fn answers_that_are_not_ours_are_passed_over() {
    let forged = server(|question| {
        vec![
            b"rubbish".to_vec(),
            reply(question, &[1], |packet| packet.set_id(packet.id() ^ 1)),
            reply(question, &[2], |packet| {
                packet.remove_flags(PacketFlag::RESPONSE);
            }),
            reply(question, &[1883], |_| {}),
        ]
    })
    .await;
    let found = records(NAME, &resolvers(&[forged]), deadline())
        .await
        .unwrap();
    assert_eq!(found[0].port, 1883);
}

#[tokio::test]
async fn a_silent_or_failing_server_is_followed_by_the_next_one() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let failing = server(|q| vec![reply(q, &[], |p| *p.rcode_mut() = RCODE::ServerFailure)]).await;
    let good = server(|question| vec![reply(question, &[1883], |_| {})]).await;
    let mut three = resolvers(&[silent.local_addr().unwrap(), failing, good]);
    three.timeout = Duration::from_millis(50);
    assert_eq!(records(NAME, &three, deadline()).await.unwrap().len(), 1);
    three.servers.truncate(1);
    let error = records(NAME, &three, deadline()).await.unwrap_err();
    assert_eq!(error.to_string(), "no name server answered");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_an_answer() {
    let none = server(|q| vec![reply(q, &[], |p| *p.rcode_mut() = RCODE::NameError)]).await;
    let error = records(NAME, &resolvers(&[none]), deadline())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let long = format!("_mqtt._tcp.{}.org", "x".repeat(64));
    let error = records(&long, &resolvers(&[none]), deadline())
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "this is not a domain name");
}

#[tokio::test]
async fn an_answer_too_long_for_a_datagram_is_fetched_by_tcp() {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1024];
        let (count, from) = udp.recv_from(&mut buffer).await.unwrap();
        let cut = reply(&buffer[..count], &[], |p| {
            p.set_flags(PacketFlag::TRUNCATION);
        });
        udp.send_to(&cut, from).await.unwrap();
        let (mut stream, _) = tcp.accept().await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut question = vec![0; length.into()];
        stream.read_exact(&mut question).await.unwrap();
        let ports: Vec<u16> = (1..200).collect();
        let answer = reply(&question, &ports, |_| {});
        let length = u16::try_from(answer.len()).unwrap();
        stream.write_u16(length).await.unwrap();
        stream.write_all(&answer).await.unwrap();
    });
    let found = records(NAME, &resolvers(&[address]), deadline())
        .await
        .unwrap();
    assert_eq!(found.len(), 199);
}
