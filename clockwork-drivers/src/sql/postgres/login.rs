//! Saying who we are: the start of the protocol, and the password by SCRAM, bound to the TLS connection where there is
//! one.

use bytes::{Bytes, BytesMut};
use clockwork_core::{ExposeSecret, SecretString};
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256},
    },
    message::frontend,
};
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256, Sha384, Sha512};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{
    message::{self, Message, ServerError},
    open::Stream,
    refusal,
};
use crate::sql::{
    Connection,
    failure::{FailureKind, Said, SqlFailure},
};

/// How long a message may be before we are in.
const LIMIT: usize = 64 << 10;

pub(super) struct Login<'a> {
    pub(super) connection: &'a Connection,
    pub(super) secret: Option<SecretString>,
    pub(super) said: &'a Said,
    pub(super) place: &'a str,
    /// The end of the TLS connection, for SCRAM.
    pub(super) binding: Option<Vec<u8>>,
}

/// What the server said of itself.
#[derive(Debug, Default)]
pub(super) struct Welcome {
    pub(super) version: String,
    pub(super) key: Option<(i32, i32)>,
}

/// What binds a login to a certificate (RFC 5929, `tls-server-end-point`): its digest, by the hash of its signature, or
/// SHA-256 for those that are weak. `None` for a signature that names no hash.
pub(super) fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let digest = match parsed.signature_algorithm.algorithm.to_id_string().as_str() {
        // RSA and ECDSA with MD5, SHA-1, SHA-256
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Sha256::digest(certificate).to_vec(),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Sha384::digest(certificate).to_vec(),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Sha512::digest(certificate).to_vec(),
        _ => return None,
    };
    Some(digest)
}

impl Login<'_> {
    fn lost(&self, error: &std::io::Error) -> SqlFailure {
        let message = match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                format!("{} closed the connection before anybody was let in", self.place)
            }
            _ => format!("{} broke the connection off: {}", self.place, self.said.quote(&error.to_string())),
        };
        SqlFailure::new(FailureKind::Lost, message)
    }

    fn broke(&self, what: &str) -> SqlFailure {
        let message = format!("{} does not speak PostgreSQL as it should: {what}", self.place);
        SqlFailure::new(FailureKind::OtherProtocol, message)
    }

    async fn send(&self, stream: &mut Stream, out: &BytesMut) -> Result<(), SqlFailure> {
        let sent = async {
            stream.write_all(out).await?;
            stream.flush().await
        };
        sent.await.map_err(|error| self.lost(&error))
    }

    async fn receive(&self, stream: &mut Stream, inbox: &mut BytesMut) -> Result<Message, SqlFailure> {
        loop {
            match message::take(inbox, LIMIT) {
                Ok(Some(message)) => match message.tag {
                    b'E' => {
                        let error = ServerError::read(message.body);
                        return Err(refusal::sort(&error, self.place, self.said));
                    }
                    b'N' | b'v' => continue,
                    _ => return Ok(message),
                },
                Ok(None) => {}
                Err(_) => {
                    let start = String::from_utf8_lossy(&inbox[..inbox.len().min(64)]);
                    return Err(self.broke(&format!("its answer begins with {}", self.said.quote(&start))));
                }
            }
            match stream.read_buf(inbox).await {
                Ok(0) => return Err(self.lost(&std::io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(error) => return Err(self.lost(&error)),
            }
        }
    }

    fn password(&self) -> Result<&[u8], SqlFailure> {
        let secret = self.secret.as_ref().map(|secret| secret.expose_secret().as_bytes());
        secret.ok_or_else(|| {
            let user = clockwork_core::text::quote(self.connection.user());
            let message = format!("{} asks for the password of user {user}, and none is given", self.place);
            SqlFailure::new(FailureKind::Credentials, message)
                .hint("give `password: { env: NAME }` or `password_env`")
        })
    }

    async fn scram(
        &self,
        mut mechanisms: Bytes,
        stream: &mut Stream,
        inbox: &mut BytesMut,
    ) -> Result<(), SqlFailure> {
        let (mut plain, mut bound) = (false, false);
        while let Some(mechanism) = message::text(&mut mechanisms).filter(|name| !name.is_empty()) {
            plain |= mechanism == SCRAM_SHA_256;
            bound |= mechanism == SCRAM_SHA_256_PLUS;
        }
        let (mechanism, binding) = match &self.binding {
            Some(end) if bound => (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(end.clone())),
            Some(_) if plain => (SCRAM_SHA_256, ChannelBinding::unrequested()),
            None if plain => (SCRAM_SHA_256, ChannelBinding::unsupported()),
            _ => return Err(self.broke("it asks for a login by none of the ways that are known here")),
        };
        let mut scram = ScramSha256::new(self.password()?, binding);
        let mut out = BytesMut::new();
        let too_long = |_| self.broke("the login became too long");
        frontend::sasl_initial_response(mechanism, scram.message(), &mut out).map_err(too_long)?;
        self.send(stream, &out).await?;
        let challenge = self.authentication(stream, inbox, 11).await?;
        scram.update(&challenge).map_err(|_| self.broke("its SCRAM challenge is wrong"))?;
        out.clear();
        frontend::sasl_response(scram.message(), &mut out).map_err(too_long)?;
        self.send(stream, &out).await?;
        let proof = self.authentication(stream, inbox, 12).await?;
        scram.finish(&proof).map_err(|_| {
            self.broke("it let us in and does not know the password itself, so it is not who it says it is")
        })
    }

    /// The rest of an authentication message of this kind.
    async fn authentication(
        &self,
        stream: &mut Stream,
        inbox: &mut BytesMut,
        kind: i32,
    ) -> Result<Bytes, SqlFailure> {
        let mut message = self.receive(stream, inbox).await?;
        match (message.tag, message::int32(&mut message.body)) {
            (b'R', Some(found)) if found == kind => Ok(message.body),
            _ => Err(self.broke("its login goes out of order")),
        }
    }
}

/// Logs in, up to where the server waits for questions.
pub(super) async fn log_in(
    stream: &mut Stream,
    inbox: &mut BytesMut,
    login: Login<'_>,
) -> Result<Welcome, SqlFailure> {
    let user = login.connection.user();
    let database = login.connection.database().unwrap_or(user);
    // All of these are known to poolers too, who refuse what they do not know.
    let start = [
        ("user", user),
        ("database", database),
        ("application_name", "clockwork"),
        ("client_encoding", "UTF8"),
        ("DateStyle", "ISO"),
        ("TimeZone", "UTC"),
    ];
    let mut out = BytesMut::new();
    frontend::startup_message(start, &mut out).map_err(|_| login.broke("the login became too long"))?;
    login.send(stream, &out).await?;
    let mut welcome = Welcome::default();
    loop {
        let Message { tag, mut body } = login.receive(stream, inbox).await?;
        match tag {
            b'R' => match message::int32(&mut body) {
                Some(0) => {}
                Some(3) => answer(&login, stream, login.password()?).await?,
                Some(5) if body.len() == 4 => {
                    let salt = [body[0], body[1], body[2], body[3]];
                    let hash = md5_hash(user.as_bytes(), login.password()?, salt);
                    answer(&login, stream, hash.as_bytes()).await?;
                }
                Some(10) => login.scram(body, stream, inbox).await?,
                _ => return Err(login.broke("it asks for a login by a way that is not known here")),
            },
            b'S' => {
                if message::text(&mut body).as_deref() == Some("server_version") {
                    welcome.version = message::text(&mut body).unwrap_or_default();
                }
            }
            b'K' => {
                welcome.key = message::int32(&mut body).zip(message::int32(&mut body));
            }
            b'Z' => return Ok(welcome),
            _ => return Err(login.broke("it answers what was not asked")),
        }
    }
}

async fn answer(login: &Login<'_>, stream: &mut Stream, password: &[u8]) -> Result<(), SqlFailure> {
    let mut out = BytesMut::new();
    frontend::password_message(password, &mut out)
        .map_err(|_| login.broke("the password holds a NUL character"))?;
    login.send(stream, &out).await
}
