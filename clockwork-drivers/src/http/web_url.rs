//! [`WebUrl`]: an absolute `http` or `https` URL in its normal form, and its parts.

use std::{fmt, net::Ipv4Addr, sync::Arc};

use url::Url;

const SCHEMES: [(&str, u16); 2] = [("http://", 80), ("https://", 443)];

/// An absolute `http` or `https` URL, without user, password and fragment, as a browser would write it down. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WebUrl {
    text: Arc<str>,
    host_end: u32,
    path: u32,
    port: u16,
    https: bool,
}

impl WebUrl {
    /// Reads a URL that stands there in its normal form already, as most do; `None` says nothing about another.
    ///
    /// A tenth of what it costs to parse every URL that there can be, and manifests may hold ten thousands of them.
    pub(super) fn plain(text: &str) -> Option<Self> {
        let https = text.starts_with(SCHEMES[1].0);
        let (scheme, own_port) = SCHEMES[usize::from(https)];
        let rest = text.strip_prefix(scheme)?;
        let path = position(rest, b'/')?;
        let authority = &rest[..path];
        let host = position(authority, b':').unwrap_or(path);
        let port = match authority.get(host + 1..) {
            None => own_port,
            Some(port) => plain_port(port).filter(|port| *port != own_port)?,
        };
        let is_plain = is_plain_host(&authority[..host]) && is_plain_path(&rest[path..]);
        is_plain.then(|| Self::new(text, https, host, path, port)).flatten()
    }

    /// The parts of a URL that has none but those; `None` for other schemes.
    pub(super) fn of(url: &Url) -> Option<Self> {
        let https = url.scheme() == "https";
        let (scheme, _) = SCHEMES[usize::from(https)];
        let rest = url.as_str().strip_prefix(scheme)?;
        Self::new(url.as_str(), https, url.host_str()?.len(), rest.find('/')?, url.port_or_known_default()?)
    }

    /// `host` and `path`: where they end and begin, behind the scheme.
    fn new(text: &str, https: bool, host: usize, path: usize, port: u16) -> Option<Self> {
        let start = SCHEMES[usize::from(https)].0.len();
        let (host_end, path) = (u32::try_from(start + host).ok()?, u32::try_from(start + path).ok()?);
        Some(Self { text: text.into(), host_end, path, port, https })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The same, to be kept.
    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }

    pub(super) fn is_https(&self) -> bool {
        self.https
    }

    /// The host: a name or an address, an IPv6 address in brackets.
    pub(super) fn host(&self) -> &str {
        &self.text[self.start()..self.host_end as usize]
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The host, and the port where it is not the scheme's own.
    pub(super) fn authority(&self) -> &str {
        &self.text[self.start()..self.path as usize]
    }

    /// The scheme and the authority: where it is asked.
    pub(super) fn origin(&self) -> &str {
        &self.text[..self.path as usize]
    }

    /// What stands in the request line of HTTP/1.
    pub(super) fn path_and_query(&self) -> &str {
        &self.text[self.path as usize..]
    }

    /// Where a link on this page leads.
    pub(super) fn join(&self, link: &str) -> Result<Url, url::ParseError> {
        Url::parse(&self.text)?.join(link)
    }

    pub(super) fn has_same_origin(&self, other: &Self) -> bool {
        (self.https, self.host(), self.port) == (other.https, other.host(), other.port)
    }

    fn start(&self) -> usize {
        SCHEMES[usize::from(self.https)].0.len()
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where this byte comes first. (Texts as short as these are searched faster one by one than by `str::find`.)
fn position(text: &str, byte: u8) -> Option<usize> {
    text.bytes().position(|other| other == byte)
}

/// A port as it is written down normally.
fn plain_port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| plain)
}

/// A name that no rule changes, or an IPv4 address.
fn is_plain_host(host: &str) -> bool {
    let (mut before, mut last_label_at) = (b'.', 0);
    for (at, byte) in host.bytes().enumerate() {
        match byte {
            // No label is empty.
            b'.' if before == b'.' => return false,
            b'.' => last_label_at = at + 1,
            b'a'..=b'z' | b'0'..=b'9' => {}
            // `xn--` begins a label that stands for another.
            b'-' if before != b'-' => {}
            _ => return false,
        }
        before = byte;
    }
    let ends_in_number = host.as_bytes().get(last_label_at).is_some_and(u8::is_ascii_digit);
    before != b'.' && (!ends_in_number || host.parse::<Ipv4Addr>().is_ok())
}

/// The bytes of a path or a query that are never encoded.
const UNCHANGED: [bool; 256] = {
    let (bytes, mut unchanged) = (b"/.-_~?=&+,;:@!$*()", [false; 256]);
    let mut at = 0;
    while at < 256 {
        unchanged[at] = (at as u8).is_ascii_alphanumeric();
        at += 1;
    }
    at = 0;
    while at < bytes.len() {
        unchanged[bytes[at] as usize] = true;
        at += 1;
    }
    unchanged
};

/// A path, maybe with a query, in which nothing has to be encoded and no segment means another.
fn is_plain_path(path: &str) -> bool {
    let mut before = 0;
    path.bytes().all(|byte| {
        let dots = before == b'/' && byte == b'.';
        before = byte;
        !dots && UNCHANGED[usize::from(byte)]
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    /// Whatever is read the short way is what the whole parser makes of it.
    #[test]
    fn what_is_plain_is_what_the_parser_makes_of_it() {
        let every_byte: Vec<String> = (0..=255_u8).map(|byte| format!("/a{}b", char::from(byte))).collect();
        let in_query: Vec<String> = every_byte.iter().map(|path| format!("/?{}", &path[1..])).collect();
        let in_host: Vec<String> = (0..=255_u8).map(|byte| format!("a{}b", char::from(byte))).collect();
        let hosts = [
            "localhost",
            "127.0.0.1",
            "127.0.0.01",
            "127.1",
            "1",
            "0x7f.1",
            "a.0x7f",
            "a.1",
            "a.1a",
            "1.a",
            "256.0.0.1",
            "1.2.3.4.5",
            "1.2.3.4.",
            "a.",
            "a..b",
            ".a",
            "",
            "-a-",
            "a--b",
            "xn--a",
            "xn--bcher-kva.example",
            "A",
            "a_b",
            "[::1]",
            "u@h",
            "u:p@h",
            "ab--c.de",
            "a.xn--p1ai",
            "a%41",
            "0",
            "00.0.0.0",
            "1e3",
        ];
        let ports = [
            "", ":", ":80", ":443", ":8080", ":0", ":00", ":08080", ":65535", ":65536", ":+80", ":8a", ":1:2",
        ];
        let paths = [
            "",
            "/",
            "/a",
            "//",
            "//a//b",
            "/.",
            "/..",
            "/a/.",
            "/a/..",
            "/a/../b",
            "/.a",
            "/a.b",
            "/a/...",
            "/%2e/",
            "/a?b",
            "/a?b#c",
            "/a#",
            "?",
            "?a",
            "#",
            "/a?../b",
            "/a?x=/../y",
            "/a?'",
            "/a'",
            "/a b",
            "/a\\b",
            "/ü",
            "/a?ü",
            "/a%20b",
            "\\a",
        ];
        let hosts: Vec<&str> = hosts.into_iter().chain(in_host.iter().map(String::as_str)).collect();
        let paths = paths.into_iter().chain(every_byte.iter().chain(&in_query).map(String::as_str));
        let paths: Vec<&str> = paths.collect();
        let mut plain = 0;
        for scheme in ["http://", "https://", "HTTP://", "http:/", "http:", "ftp://", " http://"] {
            for (number, host) in hosts.iter().enumerate() {
                for port in ports {
                    // All paths with some hosts, and some paths with all.
                    for path in &paths[..if number < 3 { paths.len() } else { 8 }] {
                        let text = format!("{scheme}{host}{port}{path}");
                        let Some(read) = WebUrl::plain(&text) else { continue };
                        plain += 1;
                        let url = Url::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
                        assert_eq!(
                            (read.as_str(), Some(&read)),
                            (url.as_str(), WebUrl::of(&url).as_ref()),
                            "{text}"
                        );
                        assert_eq!(Some(read.host()), url.host_str(), "{text}");
                        assert_eq!(Some(read.port()), url.port_or_known_default(), "{text}");
                        assert_eq!(read.is_https(), url.scheme() == "https", "{text}");
                        assert_eq!(
                            read.authority(),
                            &url[url::Position::BeforeHost..url::Position::AfterPort],
                            "{text}"
                        );
                        assert_eq!(
                            read.path_and_query(),
                            &url[url::Position::BeforePath..url::Position::AfterQuery],
                            "{text}"
                        );
                    }
                }
            }
        }
        assert!(plain > 2000, "{plain}");
    }

    #[test]
    fn urls_of_every_day_are_plain() {
        for text in [
            "http://localhost:8080/health",
            "http://127.0.0.1:35123/check/17",
            "https://shop.example/api/v1/items?sort=name&page=2",
            "http://a-1.b2.example/",
        ] {
            assert!(WebUrl::plain(text).is_some(), "{text}");
        }
        let six = WebUrl::of(&Url::parse("https://[::1]:8443?x").unwrap()).unwrap();
        assert_eq!(
            (six.host(), six.port(), six.authority(), six.path_and_query()),
            ("[::1]", 8443, "[::1]:8443", "/?x")
        );
    }
}
