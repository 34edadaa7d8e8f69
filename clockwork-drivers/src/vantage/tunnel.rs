//! A connection that was made elsewhere, lent to a client that insists on connecting by itself.

use std::{
    io,
    net::Ipv4Addr,
    sync::{Mutex, PoisonError},
};

use clockwork_core::Context;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// What carries bytes. It ends with the run.
#[derive(Default)]
struct Tunnels(Mutex<JoinSet<()>>);

/// A port of this machine: whoever connects to it first talks over `stream`.
pub(crate) async fn lend(mut stream: TcpStream, cx: &Context) -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let tunnels = cx.shared::<Tunnels>();
    let mut tunnels = tunnels.0.lock().unwrap_or_else(PoisonError::into_inner);
    while tunnels.try_join_next().is_some() {}
    tunnels.spawn(async move {
        let Ok((mut client, _)) = listener.accept().await else { return };
        drop(listener);
        let _ = client.set_nodelay(true); // it only makes it faster
        let _ = tokio::io::copy_bidirectional(&mut client, &mut stream).await;
    });
    Ok(port)
}
