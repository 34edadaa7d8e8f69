//! Addresses as text. The standard library's own way leads through its formatting, which for an address of IPv4 costs ten
//! times what it takes to write the digits; every check that connects to one writes it several times.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// `127.0.0.1`, `::1`.
pub fn text(address: IpAddr) -> String {
    let mut text = String::with_capacity(16);
    push(&mut text, address);
    text
}

/// The same behind what is there already.
pub fn push(text: &mut String, address: IpAddr) {
    match address {
        IpAddr::V4(four) => push_four(text, four),
        IpAddr::V6(six) => {
            let _ = write!(text, "{six}"); // a String takes everything
        }
    }
}

/// `127.0.0.1:80`, `[::1]:80`, behind what is there already.
pub fn push_socket(text: &mut String, address: SocketAddr) {
    match address {
        SocketAddr::V4(four) => {
            push_four(text, *four.ip());
            text.push(':');
            push_number(text, four.port());
        }
        SocketAddr::V6(six) => {
            let _ = write!(text, "{six}"); // a String takes everything
        }
    }
}

fn push_four(text: &mut String, address: Ipv4Addr) {
    let mut digits = [0; "255.255.255.255".len()];
    let mut end = 0;
    for (number, octet) in address.octets().into_iter().enumerate() {
        let mut put = |byte: u8| {
            digits[end] = byte;
            end += 1;
        };
        if number > 0 {
            put(b'.');
        }
        if octet >= 100 {
            put(b'0' + octet / 100);
        }
        if octet >= 10 {
            put(b'0' + octet / 10 % 10);
        }
        put(b'0' + octet % 10);
    }
    text.extend(str::from_utf8(&digits[..end])); // always ASCII
}

/// Decimal digits, behind what is there already.
pub(crate) fn push_number(text: &mut String, number: u16) {
    let mut digits = [0; "65535".len()];
    let mut start = digits.len();
    let mut rest = number;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    text.extend(str::from_utf8(&digits[start..])); // always ASCII
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_the_standard_library_writes_them() {
        for address in [
            "127.0.0.1",
            "0.10.200.255",
            "255.255.255.255",
            "1.99.100.101",
            "::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
        ] {
            let address: IpAddr = address.parse().expect("a test's address");
            assert_eq!(text(address), address.to_string());
            for port in [0, 9, 10, 80, 65_535] {
                let mut text = String::from("at ");
                let address = SocketAddr::new(address, port);
                push_socket(&mut text, address);
                assert_eq!(text, format!("at {address}"));
            }
        }
    }
}
