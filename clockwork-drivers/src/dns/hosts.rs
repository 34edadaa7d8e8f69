//! [`HostsProbe`]: what `/etc/hosts` says of a name, which DNS does not know: here, or inside a container.

use clockwork_core::{CheckError, Context, Fault, Probe};

use crate::vantage;

/// Looks for a name in `/etc/hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostsProbe {
    /// The name.
    pub name: String,
}

impl Probe for HostsProbe {
    /// The addresses that stand before the name, as they stand there.
    type Observation = Vec<String>;

    async fn look(&self, cx: &Context) -> Result<Vec<String>, CheckError> {
        cx.phase("reading /etc/hosts");
        // Where there is none, there is nothing in it.
        let content = vantage::read("/etc/hosts", cx).await?.unwrap_or_default();
        Ok(find(&String::from_utf8_lossy(&content), &self.name))
    }

    fn looks_inside(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        String::from("reading /etc/hosts")
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

fn find(content: &str, name: &str) -> Vec<String> {
    let name = name.trim_end_matches('.');
    let address = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then(|| address.to_owned())
    };
    content.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_with_its_addresses() {
        let hosts = "127.0.0.1 localhost\n10.0.0.7\tdb Db.example # main\n#10.0.0.8 old\n::1 localhost\n";
        for (name, expected) in [
            ("db.EXAMPLE.", &["10.0.0.7"][..]),
            ("localhost", &["127.0.0.1", "::1"]),
            ("old", &[]),
            ("main", &[]),
            ("10.0.0.7", &[]),
        ] {
            assert_eq!(find(hosts, name), expected, "{name}");
        }
    }
}
