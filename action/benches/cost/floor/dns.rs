//! DNS over UDP: a socket of its own for each question, as much of the protocol as these answers need.

use std::{
    hash::{BuildHasher, RandomState},
    net::Ipv4Addr,
};

use anyhow::{bail, ensure};
use tokio::net::UdpSocket;

/// The name must have this address, and the server must say so to the question that was asked.
pub(super) async fn check(resolver: &str, name: &str, address: &str) -> anyhow::Result<()> {
    let id = (RandomState::new().hash_one(name) as u16).to_be_bytes();
    let mut question = vec![id[0], id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        question.push(u8::try_from(label.len())?);
        question.extend_from_slice(label.as_bytes());
    }
    question.extend([0, 0, 1, 0, 1]);
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    socket.connect(resolver).await?;
    socket.send(&question).await?;
    let mut answer = [0; 1232];
    let length = loop {
        let length = socket.recv(&mut answer).await?;
        if answer[..length].starts_with(&id)
            && answer[..length].get(12..question.len()) == Some(&question[12..])
        {
            break length;
        }
    };
    ensure!(answer[3] & 0x0f == 0, "code {}", answer[3] & 0x0f);
    // One record: a pointer to the name, the type A, the class, the time to live, and four bytes.
    let [0xc0, 12, 0, 1, 0, 1, _, _, _, _, 0, 4, a, b, c, d] = answer[question.len()..length] else {
        bail!("an answer of another shape");
    };
    ensure!(Ipv4Addr::new(a, b, c, d) == address.parse::<Ipv4Addr>()?, "another address");
    Ok(())
}
