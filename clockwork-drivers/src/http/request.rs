//! [`HttpRequest`]: what is asked, with everything that decides over the answer.

use std::{
    fmt,
    hash::{Hash, Hasher},
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use clockwork_core::{CheckError, ExposeSecret, SecretString, text::quote};
use http::{HeaderName, HeaderValue, Method, header};
use url::{Url, form_urlencoded};

use super::{
    fields::{BasicAuth, HttpVersion, ResolveTo, Text, UrlText, basic},
    web_url::WebUrl,
};
use crate::tls::TlsSettings;

/// How much of a body is kept, unless a request says otherwise.
pub const MAX_BODY: u64 = 1 << 20;

/// One HTTP request, and how to make it.
///
/// Cheap to clone; equal requests get one shared answer ([`clockwork_core::Context::observe`]). It holds secrets, so
/// `Debug` shows the method and the URL alone.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    url: WebUrl,
    how: Arc<How>,
}

/// Everything but the URL. Requests of which nothing else is said share one.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct How {
    pub(super) method: Method,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) body: Bytes,
    pub(super) content_type: Option<HeaderValue>,
    pub(super) follow_redirects: bool,
    pub(super) version: Option<HttpVersion>,
    pub(super) resolve_to: Option<ResolveTo>,
    pub(super) max_body: u64,
    pub(super) tls: TlsSettings,
}

static NOTHING_SAID: LazyLock<Arc<How>> = LazyLock::new(|| {
    Arc::new(How {
        method: Method::GET,
        headers: Vec::new(),
        authorization: None,
        body: Bytes::new(),
        content_type: None,
        follow_redirects: true,
        version: None,
        resolve_to: None,
        max_body: MAX_BODY,
        tls: TlsSettings::default(),
    })
});

/// Something is wrong with a request, before anything was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRequest {
    /// Which field.
    pub field: &'static str,
    /// What is wrong, and the way out.
    pub message: String,
}

impl fmt::Display for InvalidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl std::error::Error for InvalidRequest {}

fn invalid(field: &'static str, message: impl Into<String>) -> InvalidRequest {
    InvalidRequest { field, message: message.into() }
}

impl HttpRequest {
    /// `GET` this URL. A user and a password in it are sent as Basic authentication and shown nowhere.
    ///
    /// # Errors
    /// When it is no absolute `http` or `https` URL.
    pub fn new(url: &str) -> Result<Self, InvalidRequest> {
        match WebUrl::plain(url) {
            Some(url) => Ok(Self::asking(url)),
            None => Self::from_url(parse(url)?),
        }
    }

    /// As [`HttpRequest::new`], for a URL that may be relative to `base`, as a link on that page would be.
    ///
    /// # Errors
    /// When it is no such URL.
    pub fn relative(base: &str, url: &str) -> Result<Self, InvalidRequest> {
        if let Some(url) = WebUrl::plain(url) {
            return Ok(Self::asking(url));
        }
        match Url::parse(url) {
            Err(url::ParseError::RelativeUrlWithoutBase) => {
                let joined = parse(base)?.join(url).map_err(|error| {
                    let shown = quote(url);
                    invalid("url", format!("{shown} cannot be joined to the resource's url: {error}"))
                })?;
                Self::from_url(joined)
            }
            _ => Self::new(url),
        }
    }

    /// As [`HttpRequest::relative`], where there is a base, and as [`HttpRequest::new`] otherwise.
    ///
    /// # Errors
    /// As theirs.
    pub fn declared(base: Option<&str>, url: &UrlText) -> Result<Self, InvalidRequest> {
        match (url.read(), base) {
            (Some(url), _) => Ok(Self::asking(url.clone())),
            (None, Some(base)) => Self::relative(base, url),
            (None, None) => Self::new(url),
        }
    }

    fn from_url(mut url: Url) -> Result<Self, InvalidRequest> {
        let mut authorization = None;
        if !url.username().is_empty() || url.password().is_some() {
            let password = SecretString::from(percent_decoded(url.password().unwrap_or_default()));
            let value = basic(&percent_decoded(url.username()), &password);
            authorization = Some(sensitive("url", &value)?);
            // Both can only fail for URLs without a host.
            let _ = url.set_username("");
            let _ = url.set_password(None);
        }
        url.set_fragment(None);
        let shown = || quote(url.as_str());
        let url = WebUrl::of(&url).ok_or_else(|| invalid("url", format!("{} has no host", shown())))?;
        let request = Self::asking(url);
        Ok(match authorization {
            Some(_) => request.change(|how| how.authorization = authorization),
            None => request,
        })
    }

    fn asking(url: WebUrl) -> Self {
        Self { url, how: Arc::clone(&NOTHING_SAID) }
    }

    pub(super) fn web_url(&self) -> &WebUrl {
        &self.url
    }

    pub(super) fn how(&self) -> &How {
        &self.how
    }

    fn change(mut self, change: impl FnOnce(&mut How)) -> Self {
        change(Arc::make_mut(&mut self.how));
        self
    }

    /// Another method.
    #[must_use]
    pub fn method(self, method: Method) -> Self {
        self.change(|how| how.method = method)
    }

    /// Adds a header.
    ///
    /// # Errors
    /// When the name or the value cannot stand in a header, or the secret cannot be read.
    pub fn header(self, name: &str, value: &Text) -> Result<Self, CheckError> {
        let header = header(name, value)?;
        Ok(self.change(|how| how.headers.push(header)))
    }

    /// Whether [`HttpRequest::header`] takes this name and this value, which is not read if it is a secret.
    ///
    /// # Errors
    /// As there.
    pub fn validate_header(name: &str, value: &Text) -> Result<(), CheckError> {
        match value {
            Text::Plain(_) => header(name, value).map(drop),
            Text::Secret(_) => header(name, &Text::from("")).map(drop),
        }
    }

    /// Sends this user and password (Basic authentication).
    ///
    /// # Errors
    /// When the secret cannot be read.
    pub fn basic_auth(self, auth: &BasicAuth) -> Result<Self, CheckError> {
        let value = sensitive("basic_auth", &basic(&auth.user, &auth.reveal()?))?;
        Ok(self.change(|how| how.authorization = Some(value)))
    }

    /// Sends this token (Bearer authentication).
    ///
    /// # Errors
    /// When the secret cannot be read, or cannot stand in a header.
    pub fn bearer(self, token: &clockwork_core::Secret) -> Result<Self, CheckError> {
        let token = token.reveal()?;
        let value = sensitive("bearer", &SecretString::from(format!("Bearer {}", token.expose_secret())))?;
        Ok(self.change(|how| how.authorization = Some(value)))
    }

    /// Sends this body, as it is.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        self.change(|how| how.body = body.into())
    }

    /// Sends this as JSON.
    #[must_use]
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.change(|how| {
            how.body = value.to_string().into();
            how.content_type = Some(HeaderValue::from_static("application/json"));
        })
    }

    /// Sends this as a form.
    ///
    /// # Errors
    /// When a secret in it cannot be read.
    pub fn form<'a>(
        self,
        fields: impl IntoIterator<Item = (&'a String, &'a Text)>,
    ) -> Result<Self, CheckError> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            let text = value.reveal()?;
            if matches!(value, Text::Secret(_)) {
                let encoded: String =
                    form_urlencoded::byte_serialize(text.expose_secret().as_bytes()).collect();
                clockwork_core::hide(&SecretString::from(encoded));
            }
            form.append_pair(name, text.expose_secret());
        }
        let form = form.finish();
        Ok(self.change(|how| {
            how.body = form.into();
            how.content_type = Some(HeaderValue::from_static("application/x-www-form-urlencoded"));
        }))
    }

    /// Whether redirects are followed (at most 10), which they are unless this says otherwise.
    #[must_use]
    pub fn follow_redirects(self, follow: bool) -> Self {
        self.change(|how| how.follow_redirects = follow)
    }

    /// Trusts only the certificates in this PEM file.
    #[must_use]
    pub fn ca_file(self, file: impl Into<PathBuf>) -> Self {
        self.change(|how| how.tls.ca_file = Some(file.into()))
    }

    /// Shows the server this certificate (PEM), whose key stands in the same file or in another.
    #[must_use]
    pub fn client_cert(self, certificate: impl Into<PathBuf>, key: Option<PathBuf>) -> Self {
        self.change(|how| {
            how.tls.client_cert = Some(certificate.into());
            how.tls.client_key = key;
        })
    }

    /// Accepts any certificate.
    #[must_use]
    pub fn insecure(self, insecure: bool) -> Self {
        self.change(|how| how.tls.insecure = insecure)
    }

    /// Speaks this version only.
    #[must_use]
    pub fn http_version(self, version: HttpVersion) -> Self {
        self.change(|how| how.version = Some(version))
    }

    /// Connects to this address instead of the name's.
    #[must_use]
    pub fn resolve_to(self, address: impl Into<ResolveTo>) -> Self {
        self.change(|how| how.resolve_to = Some(address.into()))
    }

    /// How many bytes of the body are kept. What is larger is cut off, and says so.
    #[must_use]
    pub fn max_body(self, bytes: u64) -> Self {
        self.change(|how| how.max_body = bytes)
    }

    /// The URL, without user, password and fragment.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Whether any certificate is accepted.
    pub fn is_insecure(&self) -> bool {
        self.how.tls.insecure
    }

    /// Whether asking twice does no more than asking once.
    pub(super) fn is_plain_question(&self) -> bool {
        matches!(self.how.method, Method::GET | Method::HEAD) && self.how.body.is_empty()
    }

    /// The host and the port that are asked. An IPv6 address has its brackets.
    pub fn host_and_port(&self) -> (String, u16) {
        let url = &self.url;
        (url.host().to_owned(), url.port())
    }

    pub(super) fn target(&self) -> String {
        format!("{}:{}", self.url.host(), self.url.port())
    }
}

/// By what tells most requests apart: they are hashed several times a check.
impl Hash for HttpRequest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.url.as_str().hash(state);
    }
}

/// The method and the URL; never what is sent along.
impl fmt::Display for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.how.method, self.url)
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpRequest({self})")
    }
}

/// An absolute `http` or `https` URL.
fn parse(text: &str) -> Result<Url, InvalidRequest> {
    let shown = || quote(without_userinfo(text).as_ref());
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => match url.port() {
            Some(0) => Err(invalid("url", format!("{} has port 0, where nothing can listen", shown()))),
            _ => Ok(url),
        },
        // `localhost:8080/health` has the scheme `localhost`.
        Ok(_) | Err(url::ParseError::RelativeUrlWithoutBase) => Err(invalid(
            "url",
            format!(
                "{} is not an http:// or https:// URL; write it in full: `http://host:port/path`",
                shown()
            ),
        )),
        Err(error) => Err(invalid("url", format!("{} is not a URL: {error}", shown()))),
    }
}

/// A URL's text without what stands before an `@` in its authority: fit to be shown.
///
/// ```
/// use clockwork_drivers::http::without_userinfo;
///
/// assert_eq!(without_userinfo("http://me:secret@localhost/a@b"), "http://localhost/a@b");
/// ```
pub fn without_userinfo(url: &str) -> std::borrow::Cow<'_, str> {
    if !url.contains('@') {
        return url.into();
    }
    let Some(start) = url.find("//").map(|at| at + 2) else { return url.into() };
    let end = url[start..].find(['/', '?', '#', '\\']).map_or(url.len(), |at| start + at);
    match url[start..end].rfind('@') {
        Some(at) => format!("{}{}", &url[..start], &url[start + at + 1..]).into(),
        None => url.into(),
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let pair = if byte == b'%' { after.get(..2) } else { None };
        let pair = pair.and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn header(name: &str, value: &Text) -> Result<(HeaderName, HeaderValue), CheckError> {
    let name = HeaderName::try_from(name)
        .map_err(|_| invalid("headers", format!("{} cannot be a header's name", quote(name))))?;
    let mut value = match value {
        Text::Plain(text) => HeaderValue::from_str(text).map_err(|_| {
            invalid("headers", format!("the value of `{name}` has a character that no header can have"))
        })?,
        Text::Secret(_) => sensitive("headers", &value.reveal()?)?,
    };
    if carries_credentials(&name) {
        value.set_sensitive(true);
    }
    Ok((name, value))
}

/// A value that is shown nowhere.
fn sensitive(field: &'static str, value: &SecretString) -> Result<HeaderValue, InvalidRequest> {
    let mut value = HeaderValue::from_str(value.expose_secret())
        .map_err(|_| invalid(field, "the secret has a character that no header can have"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Headers that never go to another origin are all but these: any other may hold a credential.
pub(super) fn carries_credentials(name: &HeaderName) -> bool {
    const HARMLESS: [HeaderName; 7] = [
        header::ACCEPT,
        header::ACCEPT_CHARSET,
        header::ACCEPT_ENCODING,
        header::ACCEPT_LANGUAGE,
        header::CACHE_CONTROL,
        header::CONTENT_TYPE,
        header::USER_AGENT,
    ];
    !HARMLESS.contains(name)
}
