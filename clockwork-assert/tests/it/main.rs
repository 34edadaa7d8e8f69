//! The assertion kinds against the real thing: real files, processes, containers, servers; verdicts compared with
//! independent programs where there is one.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod certificates;
mod command;
mod command_json;
mod containers;
mod cross_resource;
mod databases;
mod deployed_revision;
mod disk_usage;
mod dns;
mod file;
mod file_content;
mod file_kinds;
mod healthcheck;
mod http_kinds;
mod http_request;
mod http_tls;
mod inside;
mod kinds_examples;
mod kinds_page;
mod load_balancer;
mod no_open_ports;
mod nobody;
mod port_accessible;
mod process;
mod python;
mod queues;
mod response_time;
mod run;
mod sandbox;
mod secrets_echoed;
mod secrets_present;
mod server;
mod service_active;
mod skip;
mod tcp_response;
mod vulnerability_api;
mod vulnerability_scan;
mod workflow;
