//! The program at the other end of a relay: it runs inside a container's network and carries bytes between its standard
//! streams and one socket. It knows no protocol and judges nothing.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    process::ExitCode,
    thread,
};

use crate::platform::number;

/// Does what the arguments say: `wait` until nobody wants it any more, or carry `tcp ADDRESS` or `udp ADDRESS`.
///
/// For the program that a [`super::Helper`] names: it calls this with what follows the agreed word on its command line.
pub fn relay(arguments: &[String]) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words[..] {
        ["wait"] => io::copy(&mut io::stdin(), &mut io::sink()).map(drop),
        ["tcp", address] => wanted(address).and_then(tcp),
        ["udp", address] => wanted(address).and_then(udp),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// What is said first of all, before anything is done.
pub(super) const HERE: u8 = 2;

/// Says that it is here, and waits until somebody has heard that.
fn wanted(address: &str) -> io::Result<SocketAddr> {
    let mut out = io::stdout();
    out.write_all(&[HERE])?;
    out.flush()?;
    io::stdin().read_exact(&mut [0])?;
    address.parse().map_err(io::Error::other)
}

/// Says then whether it could be done: a zero, or a one and the number of the error.
fn say<T>(made: io::Result<T>) -> io::Result<T> {
    let mut out = io::stdout();
    match &made {
        Ok(_) => out.write_all(&[0])?,
        Err(error) => {
            out.write_all(&[1])?;
            out.write_all(&error.raw_os_error().unwrap_or(0).to_le_bytes())?;
        }
    }
    out.flush()?;
    made
}

fn tcp(address: SocketAddr) -> io::Result<()> {
    let connected = TcpStream::connect(address).and_then(|stream| {
        // A socket that was given the very port that it asks for has met itself. Nobody listens there.
        match stream.local_addr()? == stream.peer_addr()? {
            true => Err(io::Error::from_raw_os_error(number::REFUSED)),
            false => Ok(stream),
        }
    });
    let mut stream = say(connected)?;
    stream.set_nodelay(true)?;
    let mut upwards = stream.try_clone()?;
    thread::spawn(move || {
        let _ = pass_on(&mut io::stdin(), &mut upwards);
        let _ = upwards.shutdown(std::net::Shutdown::Write);
    });
    let ended = pass_on(&mut stream, &mut io::stdout());
    if ended.is_err() {
        let _ = io::stderr().write_all(RESET);
    }
    ended
}

/// What is said of a connection that did not end in the usual way.
pub(super) const RESET: &[u8] = b"reset";

/// Passes on what comes as soon as it comes.
fn pass_on(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut chunk = [0; 16 << 10];
    loop {
        match from.read(&mut chunk)? {
            0 => return Ok(()),
            count => {
                to.write_all(&chunk[..count])?;
                to.flush()?;
            }
        }
    }
}

/// Datagrams, each behind its length in two bytes. It ends with the first refusal.
fn udp(address: SocketAddr) -> io::Result<()> {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let bound = UdpSocket::bind(any).and_then(|socket| socket.connect(address).map(|()| socket));
    let socket = say(bound)?;
    let downwards = socket.try_clone()?;
    thread::spawn(move || {
        let mut datagram = vec![0; usize::from(u16::MAX)];
        let ended: io::Result<()> = (|| {
            loop {
                let length = downwards.recv(&mut datagram)?;
                let mut out = io::stdout();
                out.write_all(&(length as u16).to_be_bytes())?; // no datagram is longer
                out.write_all(&datagram[..length])?;
                out.flush()?;
            }
        })();
        std::process::exit(i32::from(ended.is_err()));
    });
    let mut input = io::stdin();
    let mut length = [0; 2];
    loop {
        input.read_exact(&mut length)?;
        let mut datagram = vec![0; u16::from_be_bytes(length).into()];
        input.read_exact(&mut datagram)?;
        socket.send(&datagram)?;
    }
}
