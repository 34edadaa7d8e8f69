//! The container list: one bare request to the engine's socket.

use std::{collections::HashMap, env};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    names: Vec<String>,
    state: String,
}

/// The state of every container, by name.
pub(super) async fn states() -> anyhow::Result<HashMap<String, String>> {
    let host = env::var("DOCKER_HOST").unwrap_or_default();
    let socket = host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock");
    let mut stream = UnixStream::connect(socket).await.with_context(|| socket.to_owned())?;
    // HTTP/1.0 makes the answer end with the connection: no chunks to put together.
    stream.write_all(b"GET /containers/json?all=true HTTP/1.0\r\nhost: engine\r\n\r\n").await?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await?;
    let head_ends = response.windows(4).position(|window| window == b"\r\n\r\n").context("no answer")? + 4;
    ensure!(response.starts_with(b"HTTP/1.0 200 "), "{}", String::from_utf8_lossy(&response[..head_ends]));
    let list: Vec<Listed> = serde_json::from_slice(&response[head_ends..])?;
    let states = list.into_iter().flat_map(|container| {
        let state = container.state;
        container.names.into_iter().map(move |name| (name.trim_start_matches('/').to_owned(), state.clone()))
    });
    Ok(states.collect())
}
