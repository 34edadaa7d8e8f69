//! [`Hop`]: one URL on the way from a request to its answer; redirects lead from one to the next.

use super::{
    fields::HttpVersion,
    h2::Message,
    observation::{Headers, Redirect},
    pool::Settings,
    request::{How, HttpRequest, carries_credentials},
    web_url::WebUrl,
};
use crate::{resolve, tls::TlsSettings};
use clockwork_core::{CheckError, text::quote_bytes};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::Full;

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 10;

macro_rules! user_agent {
    () => {
        concat!("clockwork/", env!("CARGO_PKG_VERSION"))
    };
}

/// What follows the host in a request that says no more than all do ([`Hop::fields`]).
const BARE_FIELDS: &str = concat!("\r\nuser-agent: ", user_agent!(), "\r\naccept: */*\r\n\r\n");

/// One URL to ask, with what is left of the request by then.
pub(super) struct Hop<'a> {
    request: &'a How,
    /// The request's own URL.
    asked: &'a WebUrl,
    /// Where a redirect leads; the request's own URL, if there was none.
    redirected: Option<WebUrl>,
    method: Method,
    with_body: bool,
    /// Whether this is still the origin that the request's credentials are meant for. Once left, they are gone.
    trusted: bool,
}

impl<'a> Hop<'a> {
    pub(super) fn first(request: &'a HttpRequest) -> Self {
        let (asked, request) = (request.web_url(), request.how());
        let (method, with_body) = (request.method.clone(), !request.body.is_empty());
        Self { request, asked, redirected: None, method, with_body, trusted: true }
    }

    pub(super) fn url(&self) -> &WebUrl {
        self.redirected.as_ref().unwrap_or(self.asked)
    }

    pub(super) fn host(&self) -> &str {
        self.url().host()
    }

    pub(super) fn port(&self) -> u16 {
        self.url().port()
    }

    pub(super) fn is_https(&self) -> bool {
        self.url().is_https()
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
            Some(_) => format!("{place} (to which {} redirects)", self.asked),
            None => place,
        }
    }

    /// Whether it can be asked over a connection that was used before: asking twice then does no more than asking once.
    pub(super) fn may_reuse(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD) && !self.with_body
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            resolve_to: self.request.resolve_to.filter(|to| self.is_meant_by(to.port.is_some())),
            version: self.request.version,
            tls: self.is_https().then(|| self.tls()),
        }
    }

    /// `resolve_to` stands for one name's address; with a port, for one host and port.
    fn is_meant_by(&self, with_port: bool) -> bool {
        let (asked, url) = (self.asked, self.url());
        asked.host() == url.host() && (!with_port || asked.port() == url.port())
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

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    /// Whether the server is asked to close the connection afterwards.
    pub(super) fn asks_to_close(&self) -> bool {
        self.own().any(|(name, value)| {
            let mut tokens = value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
            name == header::CONNECTION && tokens.any(|token| token.eq_ignore_ascii_case(b"close"))
        })
    }

    /// Whether nothing goes out but what always does, as it is with most questions.
    fn is_bare(&self) -> bool {
        let authorized = self.trusted && self.request.authorization.is_some();
        self.request.headers.is_empty() && !self.with_body && !authorized
    }

    /// Writes down what goes out over HTTP/1.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), CheckError> {
        let (url, method) = (self.url(), self.method.as_str());
        if self.is_bare() {
            let parts =
                [method, " ", url.path_and_query(), " HTTP/1.1\r\nhost: ", url.authority(), BARE_FIELDS];
            parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
            return Ok(());
        }
        for part in [method, " ", url.path_and_query(), " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        let mut line = |name: &str, value: &[u8]| {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        };
        if !self.says(&header::HOST) {
            line("host", url.authority().as_bytes());
        }
        let (mut length, mut chunked) = (None, None);
        for (name, value) in self.fields() {
            if *name == header::TRANSFER_ENCODING {
                if !self.with_body {
                    continue; // there is nothing to encode
                }
                chunked = Some(value.as_bytes().to_ascii_lowercase().trim_ascii_end().ends_with(b"chunked"));
            } else if *name == header::CONTENT_LENGTH {
                length = Some(value);
            }
            line(name.as_str(), value.as_bytes());
        }
        if !self.with_body {
            out.extend_from_slice(b"\r\n");
            return Ok(());
        }
        let body = &self.request.body;
        let size = body.len().to_string();
        match (chunked, length) {
            (None, None) => line("content-length", size.as_bytes()),
            (None, Some(length)) if length.as_bytes() != size.as_bytes() => {
                let what = format!("its header content-length is not that of its body, {size}");
                return Err(CheckError::unobservable(format!("the request to {url} cannot be sent: {what}")));
            }
            (Some(_), Some(_)) => {
                let what = "it has both content-length and transfer-encoding";
                return Err(CheckError::unobservable(format!("the request to {url} cannot be sent: {what}")));
            }
            (Some(false), None) => line("transfer-encoding", b"chunked"),
            (Some(true), None) | (None, Some(_)) => {}
        }
        out.extend_from_slice(b"\r\n");
        match chunked {
            Some(_) => {
                out.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
                out.extend_from_slice(body);
                out.extend_from_slice(b"\r\n0\r\n\r\n");
            }
            None => out.extend_from_slice(body),
        }
        Ok(())
    }

    /// What goes out over HTTP/2.
    pub(super) fn message(&self) -> Result<Message, CheckError> {
        let url = self.url();
        let body = if self.with_body { self.request.body.clone() } else { bytes::Bytes::new() };
        let mut message = Message::new(Full::new(body));
        *message.method_mut() = self.method.clone();
        *message.version_mut() = http::Version::HTTP_2;
        *message.uri_mut() = url
            .as_str()
            .parse()
            .map_err(|_| CheckError::unobservable(format!("{url} cannot be sent as an HTTP URI")))?;
        for (name, value) in self.fields() {
            message.headers_mut().append(name, value.clone());
        }
        Ok(message)
    }

    /// The headers: ours, where the user's do not replace them, and the user's.
    fn fields(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        static NAMES: [HeaderName; 4] =
            [header::USER_AGENT, header::ACCEPT, header::CONTENT_TYPE, header::AUTHORIZATION];
        static USER_AGENT: HeaderValue = HeaderValue::from_static(user_agent!());
        static ANYTHING: HeaderValue = HeaderValue::from_static("*/*");
        let kind = self.request.content_type.as_ref().filter(|_| self.with_body);
        let authorization = self.request.authorization.as_ref().filter(|_| self.trusted);
        let ours = [Some(&USER_AGENT), Some(&ANYTHING), kind, authorization];
        let ours = NAMES.iter().zip(ours).filter_map(|(name, value)| Some((name, value?)));
        ours.filter(|(name, _)| !self.says(name)).chain(self.own())
    }

    /// Whether the user gives this header.
    fn says(&self, name: &HeaderName) -> bool {
        self.own().any(|(own, _)| own == name)
    }

    /// The user's headers, as far as they are meant for this origin.
    fn own(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let meant = |name: &HeaderName| self.trusted || !carries_credentials(name);
        self.request.headers.iter().filter(move |(name, _)| meant(name)).map(|(name, value)| (name, value))
    }

    /// Where this answer leads, if it does.
    pub(super) fn next(
        &self,
        status: StatusCode,
        headers: &Headers,
        so_far: &[Redirect],
    ) -> Result<Option<Self>, CheckError> {
        if !self.request.follow_redirects || !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let Some(location) = headers.all("location").next() else { return Ok(None) };
        let shown = quote_bytes(super::without_userinfo(&String::from_utf8_lossy(location)).as_bytes());
        let wrong = |what: &str| CheckError::target(format!("{} redirects to {shown}, {what}", self.url()));
        let target = std::str::from_utf8(location).ok().and_then(|text| self.url().join(text).ok());
        let mut url = target.ok_or_else(|| wrong("which is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("which is neither http nor https"));
        }
        // What a server writes into a redirect is not ours to send as a password.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        let url = WebUrl::of(&url).ok_or_else(|| wrong("which has no host"))?;
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
        let trusted = self.trusted && url.has_same_origin(self.url());
        let with_body = self.with_body && !becomes_get;
        Ok(Some(Self { redirected: Some(url), method, with_body, trusted, ..*self }))
    }
}

/// `a → b → a`.
fn story(last: &Hop<'_>, so_far: &[Redirect], url: &WebUrl) -> String {
    let mut story = String::new();
    for redirect in so_far {
        story.push_str(&redirect.url);
        story.push_str(" → ");
    }
    clockwork_core::text::bounded(format!("{story}{} → {url}", last.url()), 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_says_no_more_is_written_as_any_other() {
        let request = HttpRequest::new("http://localhost:8080/health?x").expect("a URL");
        let mut hop = Hop::first(&request);
        let mut short = Vec::new();
        assert!(hop.is_bare() && hop.write(&mut short).is_ok());
        let more = request.clone().header("x-more", &"1".into()).expect("a header");
        hop.request = more.how();
        let mut long = Vec::new();
        assert!(!hop.is_bare() && hop.write(&mut long).is_ok());
        let long = String::from_utf8_lossy(&long).replace("x-more: 1\r\n", "");
        assert_eq!(String::from_utf8_lossy(&short), long);
    }
}
