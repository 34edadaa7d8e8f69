//! Certificates of every kind of badness, each served by a real TLS server, and every verdict compared with OpenSSL's.

mod forge;
mod server;
mod starttls;
mod versions;
mod zoo;
mod zoo_cases;
mod zoo_strength;
mod zoo_trust;
