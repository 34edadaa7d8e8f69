//! The last way: what the target's own image has. It says that it is there and waits for a line, connects to an address,
//! says so with a zero byte, and passes bytes on; it cannot half-close, knows no datagrams, and tells why it failed in words.

use std::{io, net::SocketAddr};

use crate::platform::number;

/// A program that can connect.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shell {
    Bash,
    /// Busybox's, with a program that it starts once it is connected.
    Netcat,
}

const BASH: &str = r#"printf '\2'; read -r go || exit; exec 3<>"/dev/tcp/$1/$2" || exit 1; printf '\0'; cat <&3 & cat >&3; wait"#;

// A shell gives what runs in the background nothing to read, unless it is told what.
const NETCAT: &str = r#"printf '\002'; read -r go || exit; exec 3<&0 4>&1; exec nc "$1" "$2" -e sh -c 'printf "\000" >&4; exec 5<&0; cat <&5 >&4 & cat <&3; wait'"#;

impl Shell {
    pub(super) const ALL: [Self; 2] = [Self::Bash, Self::Netcat];

    fn words(self, script: &str, arguments: &[String]) -> Vec<String> {
        let shell = match self {
            Self::Bash => "bash",
            Self::Netcat => "sh",
        };
        let words = [shell, "-c", script, shell].map(str::to_owned);
        [&words[..], arguments].concat()
    }

    /// Says a zero byte where it is there.
    pub(super) fn is_it_there(self) -> Vec<String> {
        match self {
            Self::Bash => self.words(r"printf '\2'; command -v cat >/dev/null && printf '\0'", &[]),
            Self::Netcat => self.words(
                r"printf '\002'; command -v cat >/dev/null && nc --help 2>&1 | grep -q -e '-e PROG' && printf '\000'",
                &[],
            ),
        }
    }

    pub(super) fn connect(self, address: SocketAddr) -> Vec<String> {
        let script = match self {
            Self::Bash => BASH,
            Self::Netcat => NETCAT,
        };
        self.words(script, &[address.ip().to_string(), address.port().to_string()])
    }
}

/// What went wrong, from the words of a program that connects.
pub(super) fn error_in(complaint: &str) -> io::Error {
    let known = [
        ("onnection refused", number::REFUSED),
        ("onnection timed out", number::TIMED_OUT),
        ("o route to host", number::HOST_UNREACHABLE),
        ("etwork is unreachable", number::NETWORK_UNREACHABLE),
        ("etwork unreachable", number::NETWORK_UNREACHABLE),
    ];
    match known.into_iter().find(|(words, _)| complaint.contains(words)) {
        Some((_, number)) => io::Error::from_raw_os_error(number),
        None => {
            let complaint = clockwork_core::text::quote(complaint.trim());
            io::Error::other(format!("what runs in the container ended: {complaint}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_errors() {
        let kind = |words| error_in(words).kind();
        assert_eq!(
            kind("nc: can't connect to remote host (10.0.0.1): Connection refused"),
            io::ErrorKind::ConnectionRefused
        );
        assert_eq!(kind("bash: connect: No route to host"), io::ErrorKind::HostUnreachable);
        assert_eq!(kind("sh: nc: not found"), io::ErrorKind::Other);
    }
}
