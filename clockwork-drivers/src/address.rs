//! Addresses as text. The standard library's own way leads through its formatting, which for an address of IPv4 costs ten
//! times what it takes to write the digits; every check that connects to one writes it several times.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use clockwork_core::text::push_number;

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
            push_number(text, four.port().into());
        }
        SocketAddr::V6(six) => {
            let _ = write!(text, "{six}"); // a String takes everything
        }
    }
}

fn push_four(text: &mut String, address: Ipv4Addr) {
    for (number, octet) in address.octets().into_iter().enumerate() {
        text.push_str(if number == 0 { "" } else { "." });
        push_number(text, octet.into());
    }
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
