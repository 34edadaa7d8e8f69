//! The server that everything is measured against: fast, the same for both sides, and in a process of its own so that
//! its work is charged to neither.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    net::Ipv4Addr,
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
};

use anyhow::{Context as _, bail, ensure};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
};
use tokio_rustls::TlsAcceptor;

use crate::certificates::Files;

/// The argument that makes this binary the server.
pub(crate) const PART: &str = "--serve";

/// The name in the TLS server's certificate.
pub(crate) const TLS_NAME: &str = "localhost";

/// A running server. It ends when this is dropped, or when the process that holds this ends.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    input: Option<ChildStdin>,
    /// Where `GET /check/N` is answered.
    pub(crate) http: u16,
    /// Where names are answered for, over UDP.
    pub(crate) dns: u16,
    /// Where connections are accepted, on every address of the machine.
    pub(crate) tcp: Vec<u16>,
    /// Where TLS is spoken, on every address of the machine.
    pub(crate) tls: Vec<u16>,
}

impl Server {
    /// Starts one that accepts on as many plain ports, and as many TLS ports with these certificates.
    pub(crate) fn start(tcp_ports: usize, tls_ports: usize, certificates: &Files) -> anyhow::Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args([
                PART,
                &tcp_ports.to_string(),
                &tls_ports.to_string(),
                &certificates.chain,
                &certificates.key,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the server")?;
        let mut line = String::new();
        let output = child.stdout.take().context("the server has no output")?;
        BufReader::new(output).read_line(&mut line)?;
        let mut ports = line.split_whitespace().map(str::parse::<u16>);
        let http = ports.next().context("the server did not say its port")??;
        let dns = ports.next().context("the server did not say its port for names")??;
        let mut tcp = ports.collect::<Result<Vec<_>, _>>()?;
        ensure!(tcp.len() == tcp_ports + tls_ports, "the server did not say all its ports");
        let tls = tcp.split_off(tcp_ports);
        Ok(Self { input: child.stdin.take(), child, http, dns, tcp, tls })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// Serves until standard input ends. Prints the HTTP port, that for names, then the plain ones, then those of TLS.
pub(crate) fn serve(arguments: &[String]) -> anyhow::Result<()> {
    let [tcp_ports, tls_ports, chain, key] = arguments else {
        bail!("how many ports, and which certificate?")
    };
    let (tcp_ports, tls_ports): (usize, usize) = (tcp_ports.parse()?, tls_ports.parse()?);
    let acceptor = acceptor(chain, key)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let http = TcpListener::bind("127.0.0.1:0").await?;
        let dns = UdpSocket::bind("127.0.0.1:0").await?;
        let mut ports = vec![http.local_addr()?.port(), dns.local_addr()?.port()];
        for _ in 0..tcp_ports {
            let listener = TcpListener::bind("0.0.0.0:0").await?;
            ports.push(listener.local_addr()?.port());
            tokio::spawn(accept_and_close(listener));
        }
        for _ in 0..tls_ports {
            let listener = TcpListener::bind("0.0.0.0:0").await?;
            ports.push(listener.local_addr()?.port());
            tokio::spawn(accept_tls(listener, acceptor.clone()));
        }
        tokio::spawn(accept_http(http));
        tokio::spawn(answer_names(dns));
        println!("{}", ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" "));
        let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        end.await?.map(drop).map_err(Into::into)
    })
}

async fn accept_and_close(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        drop(stream);
    }
}

fn acceptor(chain: &str, key: &str) -> anyhow::Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(chain)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let builder =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
    Ok(TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key)?)))
}

/// Shakes hands, and waits for the other side to end.
async fn accept_tls(listener: TcpListener, acceptor: TlsAcceptor) {
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            let mut stream = acceptor.accept(stream).await?;
            stream.read(&mut [0; 64]).await
        });
    }
}

async fn accept_http(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream));
    }
}

/// What a name of this number is answered with.
pub(crate) fn address(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 0, high, low)
}

/// Answers questions for the address of `{number}.bench.test`.
async fn answer_names(socket: UdpSocket) -> std::io::Result<()> {
    let mut message = [0; 512];
    loop {
        let (length, peer) = socket.recv_from(&mut message).await?;
        // The first label is the number; the question ends five bytes after the zero that ends the name.
        let Some(end) = message[12..length].iter().position(|byte| *byte == 0).map(|at| 12 + at + 5) else {
            continue;
        };
        let label = &message[13..13 + usize::from(message[12])];
        let Some(number) = std::str::from_utf8(label).ok().and_then(|label| label.parse().ok()) else {
            continue;
        };
        message[2..12].copy_from_slice(&[0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
        let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4];
        message[end..end + 12].copy_from_slice(&record);
        message[end + 12..end + 16].copy_from_slice(&address(number).octets());
        socket.send_to(&message[..end + 16], peer).await?;
    }
}

/// What `GET /check/{number}` is answered with.
pub(crate) fn body(number: &str) -> String {
    format!("check {number} is up")
}

/// Answers the requests of one connection, which come without bodies and one at a time.
async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = Vec::with_capacity(4096);
    let mut response = String::with_capacity(256);
    loop {
        request.clear();
        while !request.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        let text = String::from_utf8_lossy(&request);
        let path = text.split(' ').nth(1).unwrap_or_default();
        let (status, body) = match path.strip_prefix("/check/") {
            Some(number) => ("200 OK", body(number)),
            None => ("404 Not Found", "no such check".to_owned()),
        };
        response.clear();
        response.push_str("HTTP/1.1 ");
        response.push_str(status);
        response.push_str("\r\ncontent-type: text/plain\r\ncontent-length: ");
        response.push_str(&body.len().to_string());
        response.push_str("\r\n\r\n");
        response.push_str(&body);
        stream.write_all(response.as_bytes()).await?;
    }
}
