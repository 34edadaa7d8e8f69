//! [`Hop`]: one URL on the way from a request to its answer; redirects lead from one to the next.

use clockwork_core::{CheckError, text::quote_bytes};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::Full;
use url::Url;

use super::{
    connection::Message,
    fields::HttpVersion,
    observation::Redirect,
    pool::Key,
    request::{Parts, authority, carries_credentials, path_and_query},
};
use crate::{resolve, tls::TlsSettings};

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 10;

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("clockwork/", env!("CARGO_PKG_VERSION")));
const ANYTHING: HeaderValue = HeaderValue::from_static("*/*");

/// One URL to ask, with what is left of the request by then.
pub(super) struct Hop<'a> {
    request: &'a Parts,
    /// Where a redirect leads; the request's own URL, if there was none.
    redirected: Option<Url>,
    method: Method,
    with_body: bool,
    /// Whether this is still the origin that the request's credentials are meant for. Once left, they are gone.
    trusted: bool,
}

impl<'a> Hop<'a> {
    pub(super) fn first(request: &'a Parts) -> Self {
        let method = request.method.clone();
        Self { request, redirected: None, method, with_body: !request.body.is_empty(), trusted: true }
    }

    pub(super) fn url(&self) -> &Url {
        self.redirected.as_ref().unwrap_or(&self.request.url)
    }

    pub(super) fn host(&self) -> &str {
        self.url().host_str().unwrap_or_default()
    }

    pub(super) fn port(&self) -> u16 {
        self.url().port_or_known_default().unwrap_or_default()
    }

    pub(super) fn is_https(&self) -> bool {
        self.url().scheme() == "https"
    }

    pub(super) fn version(&self) -> Option<HttpVersion> {
        self.request.version
    }

    pub(super) fn max_body(&self) -> usize {
        usize::try_from(self.request.max_body).unwrap_or(usize::MAX)
    }

    /// Where it is, for messages: `localhost:8080`; with how one got there, after redirects.
    pub(super) fn place(&self) -> String {
        let place = resolve::authority(self.host(), self.port());
        match self.redirected {
            Some(_) => format!("{place} (to which {} redirects)", self.request.url),
            None => place,
        }
    }

    /// Whether it can be asked over a connection that was used before: asking twice then does no more than asking once.
    pub(super) fn may_reuse(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD) && !self.with_body
    }

    pub(super) fn key(&self) -> Key {
        Key {
            host: self.host().into(),
            port: self.port(),
            resolve_to: self.request.resolve_to.filter(|to| self.is_meant_by(to.port.is_some())),
            version: self.request.version,
            tls: self.is_https().then(|| self.tls()),
        }
    }

    /// `resolve_to` stands for one name's address; with a port, for one host and port.
    fn is_meant_by(&self, with_port: bool) -> bool {
        let (asked, url) = (&self.request.url, self.url());
        asked.host_str() == url.host_str()
            && (!with_port || asked.port_or_known_default() == url.port_or_known_default())
    }

    fn tls(&self) -> TlsSettings {
        const BOTH: &[&[u8]] = &[b"h2", b"http/1.1"];
        let mut settings = self.request.tls.clone();
        settings.alpn = match self.request.version {
            None => BOTH,
            Some(HttpVersion::Http11) => &BOTH[1..],
            Some(HttpVersion::Http2) => &BOTH[..1],
        };
        if !self.trusted {
            settings.client_cert = None;
            settings.client_key = None;
        }
        settings
    }

    /// The message that goes out.
    pub(super) fn message(&self, version: http::Version) -> Result<Message, CheckError> {
        let url = self.url();
        let body = if self.with_body { self.request.body.clone() } else { bytes::Bytes::new() };
        let mut message = Message::new(Full::new(body));
        *message.method_mut() = self.method.clone();
        let unsendable =
            |what: &str| CheckError::unobservable(format!("{url} cannot be sent as an HTTP {what}"));
        let headers = self.headers();
        if version == http::Version::HTTP_2 {
            *message.uri_mut() = url.as_str().parse().map_err(|_| unsendable("URI"))?;
            *message.version_mut() = version;
        } else {
            *message.uri_mut() = path_and_query(url).parse().map_err(|_| unsendable("path"))?;
        }
        *message.headers_mut() = headers;
        if version != http::Version::HTTP_2 && !message.headers().contains_key(header::HOST) {
            let host = HeaderValue::from_str(authority(url)).map_err(|_| unsendable("host"))?;
            message.headers_mut().insert(header::HOST, host);
        }
        Ok(message)
    }

    fn headers(&self) -> HeaderMap {
        let request = self.request;
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::USER_AGENT, USER_AGENT);
        headers.insert(header::ACCEPT, ANYTHING);
        if let Some(kind) = request.content_type.filter(|_| self.with_body) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        if let Some(authorization) = request.authorization.as_ref().filter(|_| self.trusted) {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        let mut own = HeaderMap::new();
        for (name, value) in &request.headers {
            if self.trusted || !carries_credentials(name) {
                own.append(name.clone(), value.clone());
            }
        }
        // The user's replace ours, and repeat where they do.
        for name in own.keys() {
            headers.remove(name);
        }
        if headers.is_empty() {
            return own;
        }
        headers.extend(own);
        headers
    }

    /// Where this answer leads, if it does.
    pub(super) fn next(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        so_far: &[Redirect],
    ) -> Result<Option<Self>, CheckError> {
        if !self.request.follow_redirects
            || !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
            || !headers.contains_key(header::LOCATION)
        {
            return Ok(None);
        }
        let location = &headers[header::LOCATION];
        let shown =
            quote_bytes(super::without_userinfo(&String::from_utf8_lossy(location.as_bytes())).as_bytes());
        let wrong = |what: &str| CheckError::target(format!("{} redirects to {shown}, {what}", self.url()));
        let target =
            std::str::from_utf8(location.as_bytes()).ok().and_then(|text| self.url().join(text).ok());
        let mut url = target.ok_or_else(|| wrong("which is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("which is neither http nor https"));
        }
        // What a server writes into a redirect is not ours to send as a password.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        // 303 says GET, and so does everybody after a POST that was answered with 301 or 302.
        let becomes_get = match status.as_u16() {
            303 => self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        let method = if becomes_get { Method::GET } else { self.method.clone() };
        // Without cookies a server cannot tell the second visit from the first.
        let been_there = url == *self.url() || so_far.iter().any(|redirect| redirect.url == url.as_str());
        if been_there && method == self.method {
            return Err(CheckError::target(format!(
                "redirects go round in a circle: {}",
                story(self, so_far, &url)
            )));
        }
        if so_far.len() >= MAX_REDIRECTS {
            let story = story(self, so_far, &url);
            return Err(CheckError::target(format!("more than {MAX_REDIRECTS} redirects: {story}")));
        }
        let trusted = self.trusted && same_origin(&url, self.url());
        let with_body = self.with_body && !becomes_get;
        Ok(Some(Self { request: self.request, redirected: Some(url), method, with_body, trusted }))
    }
}

/// `a → b → a`.
fn story(last: &Hop<'_>, so_far: &[Redirect], url: &Url) -> String {
    let mut story = String::new();
    for redirect in so_far {
        story.push_str(&redirect.url);
        story.push_str(" → ");
    }
    clockwork_core::text::bounded(format!("{story}{} → {url}", last.url()), 1024)
}

fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host_str() == b.host_str()
        && a.port_or_known_default() == b.port_or_known_default()
}
