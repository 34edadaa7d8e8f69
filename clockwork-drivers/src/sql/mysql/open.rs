//! Opening a connection.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

use clockwork_core::{CheckError, Context, ExposeSecret, Vantage, text::harmless};
use mysql_async::{Conn, DriverError, Error, Opts, OptsBuilder, SslOpts, prelude::Queryable};

use super::refusal::Whom;
use crate::{
    resolve::{is_unresolved, resolve},
    sql::{
        Connection, TlsMode,
        failure::{FailureKind, Said, SqlFailure},
        probe::Connected,
    },
    tcp,
    vantage::tunnel,
};

/// A connection, ready to be asked.
pub(super) struct Opened {
    pub(super) conn: Conn,
    pub(super) connected: Connected,
    pub(super) said: Said,
    /// Whether it is MariaDB, whose timeouts have other names.
    pub(super) maria: bool,
}

/// How long a file with certificates may be.
const FILE_LIMIT: u64 = 4 << 20;

pub(super) async fn open(
    connection: &Connection,
    cx: &Context,
) -> Result<Result<Opened, SqlFailure>, CheckError> {
    let secret = connection.password().map(|password| password.reveal()).transpose()?;
    let said = Said::without(secret.clone());
    let place = connection.place();
    let addresses = match resolve(&connection.host, connection.port(), false, cx).await {
        Ok(addresses) => addresses,
        Err(error) if is_unresolved(&error) => {
            return Ok(Err(SqlFailure::of(FailureKind::Unresolved, error)));
        }
        Err(error) => return Err(error),
    };
    let host = connection.host.trim_matches(['[', ']']);
    let settings = OptsBuilder::default()
        .ip_or_hostname(host)
        .user(Some(connection.user()))
        .pass(secret.as_ref().map(|secret| secret.expose_secret().to_owned()))
        .db_name(connection.database())
        // A statement is prepared once; and what is asked of the server at the start is known.
        .stmt_cache_size(0)
        .prefer_socket(false)
        .max_allowed_packet(Some(16 << 20))
        .wait_timeout(Some(28_800));
    let tls = tls(connection).await?;
    let whom = Whom { place: &place, said: &said };
    cx.phase(format!(
        "waiting for {place} to let user {} in",
        clockwork_core::text::quote(connection.user())
    ));
    // Each attempt is a connection of its own, and inside a container one that is made there.
    let reach = async |settings: OptsBuilder| -> Result<Result<Opts, SqlFailure>, CheckError> {
        let (port, ips) = match cx.vantage() {
            Vantage::Host => (connection.port(), addresses.iter().map(std::net::SocketAddr::ip).collect()),
            Vantage::Inside(_) => match tcp::connect(&addresses, cx).await? {
                (Some(connected), _) => {
                    (tunnel::lend(connected.stream, cx).await?, vec![Ipv4Addr::LOCALHOST.into()])
                }
                (None, tried) => {
                    let error = tcp::nobody(&place, &connection.host, &tried);
                    return Ok(Err(SqlFailure::of(FailureKind::Unreachable, error)));
                }
            },
        };
        Ok(Ok(settings.tcp_port(port).resolved_ips(Some::<Vec<IpAddr>>(ips)).into()))
    };
    let encrypted = match reach(settings.clone().ssl_opts(tls)).await? {
        Ok(encrypted) => encrypted,
        Err(failure) => return Ok(Err(failure)),
    };
    let (mut conn, is_encrypted) = match Conn::new(encrypted).await {
        Ok(conn) => (conn, true),
        Err(Error::Driver(DriverError::NoClientSslFlagFromServer)) => match connection.tls() {
            TlsMode::Prefer => {
                let plain = match reach(settings).await? {
                    Ok(plain) => plain,
                    Err(failure) => return Ok(Err(failure)),
                };
                match Conn::new(plain).await {
                    Ok(conn) => (conn, false),
                    Err(error) => return whom.at_the_door(error).map(Err),
                }
            }
            TlsMode::Require | TlsMode::VerifyFull => {
                let message = format!("{place} offers no TLS, and `tls` asks for it");
                return Ok(Err(SqlFailure::new(FailureKind::Tls, message)));
            }
        },
        Err(error) => return whom.at_the_door(error).map(Err),
    };
    cx.phase(format!("waiting for {place} to say its version"));
    let version: Option<String> = match conn.query_first("SELECT VERSION()").await {
        Ok(version) => version,
        Err(error) => return Ok(Err(whom.sort(&error))),
    };
    let version = version.unwrap_or_default();
    let maria = version.contains("MariaDB");
    let name = if maria { "MariaDB" } else { "MySQL" };
    let number: String = version.chars().take_while(|c| *c != '-').take(64).collect();
    let product = format!("{name} {}", harmless(&number));
    let tls = is_encrypted.then(String::new);
    Ok(Ok(Opened { conn, connected: Connected { place, product, tls }, said, maria }))
}

async fn tls(connection: &Connection) -> Result<SslOpts, CheckError> {
    let tls = SslOpts::default();
    if connection.tls() != TlsMode::VerifyFull {
        return Ok(tls.with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true));
    }
    let Some(file) = connection.ca_file.clone() else { return Ok(tls) };
    let pem = tokio::task::spawn_blocking(move || read(&file)).await??;
    Ok(tls.with_disable_built_in_roots(true).with_root_certs(vec![pem.into()]))
}

fn read(file: &Path) -> Result<Vec<u8>, CheckError> {
    let shown = clockwork_core::text::quote(&file.to_string_lossy());
    let found = std::fs::metadata(file).map_err(|error| {
        CheckError::unobservable(format!("ca_file {shown} cannot be read")).with_source(error)
    })?;
    if !found.is_file() || found.len() > FILE_LIMIT {
        return Err(CheckError::unobservable(format!("ca_file {shown} is no file of certificates")));
    }
    let pem = std::fs::read(file).map_err(|error| {
        CheckError::unobservable(format!("ca_file {shown} cannot be read")).with_source(error)
    })?;
    let begins = b"-----BEGIN CERTIFICATE-----";
    match pem.windows(begins.len()).any(|window| window == begins) {
        true => Ok(pem),
        false => Err(CheckError::unobservable(format!("ca_file {shown} holds no certificate"))
            .hint("it has to be a PEM file with `-----BEGIN CERTIFICATE-----`")),
    }
}
