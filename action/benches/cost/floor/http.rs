//! HTTP/1.1 over one kept connection, as little of it as these answers need.

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// One kept connection, and buffers that are used again.
#[derive(Default)]
pub(super) struct Client {
    connection: Option<(String, TcpStream)>,
    request: String,
    response: Vec<u8>,
}

impl Client {
    /// A GET that must answer 200 with a body that contains `wanted`.
    pub(super) async fn check(&mut self, address: &str, path: &str, wanted: &str) -> anyhow::Result<()> {
        if self.connection.as_ref().is_none_or(|(to, _)| to != address) {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            self.connection = Some((address.to_owned(), stream));
        }
        let Some((_, stream)) = &mut self.connection else { bail!("no connection") };

        self.request.clear();
        for part in ["GET ", path, " HTTP/1.1\r\nhost: ", address, "\r\naccept: */*\r\n\r\n"] {
            self.request.push_str(part);
        }
        stream.write_all(self.request.as_bytes()).await?;

        self.response.clear();
        let head_ends = loop {
            ensure!(stream.read_buf(&mut self.response).await? > 0, "closed before the headers ended");
            if let Some(at) = self.response.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = std::str::from_utf8(&self.response[..head_ends])?;
        let length = content_length(head).context("no content-length")?;
        ensure!(head.starts_with("HTTP/1.1 200 "), "{head}");
        while self.response.len() < head_ends + length {
            ensure!(stream.read_buf(&mut self.response).await? > 0, "closed before the body ended");
        }
        let body = std::str::from_utf8(&self.response[head_ends..head_ends + length])?;
        ensure!(body.contains(wanted), "{body}");
        Ok(())
    }
}

fn content_length(head: &str) -> Option<usize> {
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    })?;
    value.trim().parse().ok()
}
