//! Records as people read them.

use std::fmt::Write;

use hickory_proto::rr::{
    Name, RData,
    rdata::{SVCB, svcb::SvcParamValue},
};

/// A name in small letters, with the dot at its end.
pub(super) fn name(name: &Name) -> String {
    let mut text = name.to_lowercase().to_ascii();
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

/// A record's data as zone files write it; a text without quotation marks, its parts joined.
pub(super) fn show(data: &RData) -> String {
    match data {
        RData::CNAME(target) => name(target),
        RData::NS(target) => name(target),
        RData::PTR(target) => name(target),
        RData::MX(mx) => format!("{} {}", mx.preference, name(&mx.exchange)),
        RData::SRV(srv) => {
            format!("{} {} {} {}", srv.priority, srv.weight, srv.port, name(&srv.target))
        }
        RData::SOA(soa) => format!(
            "{} {} {} {} {} {} {}",
            name(&soa.mname),
            name(&soa.rname),
            soa.serial,
            soa.refresh,
            soa.retry,
            soa.expire,
            soa.minimum
        ),
        RData::TXT(txt) => text(&txt.txt_data.concat()),
        RData::CAA(caa) => format!("{} {} \"{}\"", caa.flags(), caa.tag, text(&caa.value)),
        RData::SVCB(svcb) => service(svcb),
        RData::HTTPS(https) => service(https),
        RData::TLSA(_) | RData::SSHFP(_) => data.to_string().to_ascii_uppercase(),
        other => other.to_string(),
    }
}

/// `1 . alpn="h2,h3" port=8443`, as dig shows it.
fn service(svcb: &SVCB) -> String {
    let mut text = format!("{} {}", svcb.svc_priority, name(&svcb.target_name));
    for (key, value) in &svcb.svc_params {
        let shown = value.to_string();
        let shown = shown.trim_end_matches(',');
        let _ = match value {
            SvcParamValue::Alpn(_) => write!(text, " {key}=\"{shown}\""),
            SvcParamValue::NoDefaultAlpn => write!(text, " {key}"),
            _ => write!(text, " {key}={shown}"),
        };
    }
    text
}

/// UTF-8 as it is; any other byte as zone files write it, `\255`.
fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\{byte:03}"); // a String takes everything
        }
    }
    text
}
