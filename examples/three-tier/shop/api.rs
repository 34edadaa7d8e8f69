//! `GET /health` and `POST /orders`: encrypted at 8443 for the load balancer, plain at 8080 for who is inside.

use std::{io, sync::Arc};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use crate::{database::Database, events::Events, setting};

struct Api {
    name: String,
    database: Database,
}

pub(crate) async fn serve() -> io::Result<()> {
    let api = Arc::new(Api { name: setting("NAME")?, database: Database::new()? });
    let plain = TcpListener::bind("0.0.0.0:8080").await?;
    let encrypted = TcpListener::bind("0.0.0.0:8443").await?;
    loop {
        tokio::select! {
            accepted = plain.accept() => {
                let (stream, api) = (accepted?.0, Arc::clone(&api));
                tokio::spawn(async move { api.answer(stream).await });
            }
            accepted = encrypted.accept() => {
                let (stream, api) = (accepted?.0, Arc::clone(&api));
                tokio::spawn(async move { api.answer(acceptor()?.accept(stream).await?).await });
            }
        }
    }
}

/// With the certificate as it is now: who renews it need not restart the shop.
fn acceptor() -> io::Result<TlsAcceptor> {
    let directory = setting("TLS_DIRECTORY")?;
    let chain = CertificateDer::pem_file_iter(format!("{directory}/cert.pem")).map_err(io::Error::other)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(format!("{directory}/key.pem")).map_err(io::Error::other)?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl Api {
    /// One request, one answer.
    async fn answer(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut request = String::new();
        stream.read_line(&mut request).await?;
        let mut header = String::new();
        while stream.read_line(&mut header).await? > 2 {
            header.clear();
        }
        let answer = match request.split(' ').take(2).collect::<Vec<_>>()[..] {
            ["GET", "/health"] => self.database.run("SELECT 1").await.map(|_| String::from("ok\n")),
            ["POST", "/orders"] => self.order().await,
            _ => Ok(String::from("the shop\n")),
        };
        let (status, body) = match answer {
            Ok(body) => ("200 OK", body),
            Err(error) => ("503 Service Unavailable", format!("{error}\n")),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nX-Backend: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.name,
            body.len()
        );
        stream.get_mut().write_all(format!("{head}{body}").as_bytes()).await?;
        stream.get_mut().shutdown().await
    }

    async fn order(&self) -> io::Result<String> {
        let mut events = Events::connect().await?;
        // The database gives the number; who reports it reads it from there.
        let id = self
            .database
            .number("INSERT INTO orders (product, cents) VALUES ('tea', 450) RETURNING id")
            .await?;
        events.publish_surely("orders.placed", &id.to_string()).await?;
        Ok(format!("{id}\n"))
    }
}
