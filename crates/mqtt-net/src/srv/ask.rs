//! One question to the name servers, by UDP, and by TCP if the answer is too long for that.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

use super::Record;
use super::resolvers::Resolvers;

/// The longest answer by UDP that is understood.
const LONGEST_DATAGRAM: usize = 4096;

/// The SRV records of `name`.
///
/// # Errors
/// No server answered before `deadline`, or the one that did refused.
pub(super) async fn records(
    name: &str,
    resolvers: &Resolvers,
    deadline: Instant,
) -> io::Result<Vec<Record>> {
    let mut failure = io::Error::new(io::ErrorKind::TimedOut, "no name server answered");
    for _ in 0..resolvers.attempts {
        for server in &resolvers.servers {
            let until = deadline.min(Instant::now() + resolvers.timeout);
            match timeout_at(until, ask(name, *server)).await {
                Ok(Ok(records)) => return Ok(records),
                // That there is no such name is an answer, too.
                Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Err(error),
                Ok(Err(error)) => failure = error,
                Err(_) => {}
            }
        }
    }
    Err(failure)
}

async fn ask(name: &str, server: SocketAddr) -> io::Result<Vec<Record>> {
    let id = u16::try_from(getrandom::u32().map_err(io::Error::other)? >> 16).unwrap_or(0);
    let question = question(id, name)?;
    let any: SocketAddr = if server.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(&question).await?;
    let mut buffer = vec![0; LONGEST_DATAGRAM];
    loop {
        let count = socket.recv(&mut buffer).await?;
        // Whatever does not answer our question may come from anybody.
        let Some(packet) = answer_to(id, name, &buffer[..count]) else {
            continue;
        };
        if packet.has_flags(PacketFlag::TRUNCATION) {
            return ask_by_tcp(id, name, &question, server).await;
        }
        return read(&packet);
    }
}

async fn ask_by_tcp(
    id: u16,
    name: &str,
    question: &[u8],
    server: SocketAddr,
) -> io::Result<Vec<Record>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(question).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    match answer_to(id, name, &answer) {
        Some(packet) => read(&packet),
        None => Err(invalid("the name server's answer makes no sense")),
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn question(id: u16, name: &str) -> io::Result<Vec<u8>> {
    let name = Name::new(name).map_err(|_| invalid("this is not a domain name"))?;
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let (kind, class) = (QTYPE::TYPE(TYPE::SRV), QCLASS::CLASS(CLASS::IN));
    packet
        .questions
        .push(Question::new(name, kind, class, false));
    let bytes = packet.build_bytes_vec();
    bytes.map_err(|_| invalid("this is not a domain name"))
}

/// The packet, if it is the answer to our question.
fn answer_to<'a>(id: u16, name: &str, bytes: &'a [u8]) -> Option<Packet<'a>> {
    let packet = Packet::parse(bytes).ok()?;
    let asked = packet.questions.first()?.qname.to_string();
    let is_ours = packet.id() == id
        && packet.has_flags(PacketFlag::RESPONSE)
        && asked.eq_ignore_ascii_case(name);
    is_ours.then_some(packet)
}

fn read(packet: &Packet<'_>) -> io::Result<Vec<Record>> {
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => {
            let what = "the domain names no server for this (there is no such name)";
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        }
        code => return Err(io::Error::other(format!("the name server says {code:?}"))),
    }
    let records = packet
        .answers
        .iter()
        .filter_map(|answer| match &answer.rdata {
            RData::SRV(record) => Some(Record {
                priority: record.priority,
                weight: record.weight,
                port: record.port,
                target: record.target.to_string(),
            }),
            _ => None,
        });
    Ok(records.collect())
}

#[cfg(test)]
mod tests;
