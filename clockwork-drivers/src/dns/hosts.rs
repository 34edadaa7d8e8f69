//! [`HostsProbe`]: what `/etc/hosts` says of a name, which DNS does not know. For messages: it explains why programs on
//! this machine find a name that no name server has.

use clockwork_core::{CheckError, Context, Fault, Probe};

/// Looks for a name in `/etc/hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostsProbe {
    /// The name.
    pub name: String,
}

impl Probe for HostsProbe {
    /// The address that stands before the name, if the name stands there.
    type Observation = Option<String>;

    async fn look(&self, cx: &Context) -> Result<Option<String>, CheckError> {
        cx.phase("reading /etc/hosts");
        let content = tokio::task::spawn_blocking(|| std::fs::read_to_string("/etc/hosts")).await?;
        // Where there is none, there is nothing in it.
        Ok(find(&content.unwrap_or_default(), &self.name))
    }

    fn describe(&self) -> String {
        String::from("reading /etc/hosts")
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

fn find(content: &str, name: &str) -> Option<String> {
    let name = name.trim_end_matches('.');
    content.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then(|| address.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_with_its_address() {
        let hosts = "127.0.0.1 localhost\n10.0.0.7\tdb Db.example # main\n#10.0.0.8 old\n";
        for (name, expected) in
            [("db.EXAMPLE.", Some("10.0.0.7")), ("old", None), ("main", None), ("10.0.0.7", None)]
        {
            assert_eq!(find(hosts, name).as_deref(), expected, "{name}");
        }
    }
}
