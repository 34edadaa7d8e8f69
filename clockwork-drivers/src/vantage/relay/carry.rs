//! What carries bytes between a socket on this side and the engine's pipe.

use std::{io, net::Ipv4Addr};

use bytes::{Buf, BytesMut};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream, UdpSocket},
};

use super::program::RESET;
use crate::container::act::{Pipe, Stream, frame};

/// Two ends of one connection.
pub(super) async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let ours = TcpStream::connect(listener.local_addr()?).await?;
    let here = ours.local_addr()?;
    loop {
        // Whoever else found the listener in the meantime is turned away.
        let (theirs, from) = listener.accept().await?;
        if from == here {
            theirs.set_nodelay(true)?;
            return Ok((ours, theirs));
        }
    }
}

pub(super) async fn datagram_pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let ours = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let theirs = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    ours.connect(theirs.local_addr()?).await?;
    theirs.connect(ours.local_addr()?).await?;
    Ok((ours, theirs))
}

/// Until both sides have said all. A connection that broke off in there breaks off here.
pub(super) async fn stream(socket: TcpStream, first: BytesMut, pipe: Pipe) {
    let Pipe { wire, mut unread } = pipe;
    let (mut said, mut input) = tokio::io::split(wire);
    let mut socket = socket;
    let broke = {
        let (mut from, mut to) = socket.split();
        let upwards = async {
            let _ = tokio::io::copy(&mut from, &mut input).await;
            let _ = input.shutdown().await;
            // That nothing more is asked does not end the answer.
            std::future::pending::<()>().await;
        };
        let downwards = async {
            to.write_all(&first).await?;
            while let Some((stream, piece)) = frame(&mut said, &mut unread).await? {
                match stream {
                    Stream::Output => to.write_all(&piece).await?,
                    Stream::Error if piece.starts_with(RESET) => {
                        return Err(io::ErrorKind::ConnectionReset.into());
                    }
                    Stream::Error => {}
                }
            }
            to.shutdown().await
        };
        tokio::select! {
            ended = downwards => ended.is_err(),
            () = upwards => false,
        }
    };
    if broke {
        let _ = socket.set_zero_linger(); // so that the other end is reset, too
    }
}

/// Until the program in there ends: at the first refusal, which then shows here as one.
pub(super) async fn datagrams(socket: UdpSocket, first: BytesMut, pipe: Pipe) {
    let Pipe { wire, mut unread } = pipe;
    let (mut said, mut input) = tokio::io::split(wire);
    let upwards = async {
        let mut datagram = vec![0; usize::from(u16::MAX)];
        loop {
            let length = socket.recv(&mut datagram).await?;
            input.write_all(&(length as u16).to_be_bytes()).await?; // no datagram is longer
            input.write_all(&datagram[..length]).await?;
            input.flush().await?;
        }
    };
    let downwards = async {
        let mut waiting = first;
        loop {
            while let [a, b, rest @ ..] = &waiting[..]
                && rest.len() >= usize::from(u16::from_be_bytes([*a, *b]))
            {
                let length = waiting.get_u16().into();
                socket.send(&waiting.split_to(length)).await?;
            }
            match frame(&mut said, &mut unread).await? {
                Some((Stream::Output, piece)) => waiting.extend_from_slice(&piece),
                Some(_) => {}
                None => return Ok(()),
            }
        }
    };
    let _: io::Result<()> = tokio::select! {
        ended = upwards => ended,
        ended = downwards => ended,
    };
}
