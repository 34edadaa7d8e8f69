//! The table that is published: FAULTS.md.

use super::Seen;

const HEAD: &str = "\
# What goes wrong between three tiers, and whom a run blames

A load balancer, two replicas of an API, PostgreSQL with a streaming replica, a queue and its consumer, on two container
networks ([clockwork.yaml](clockwork.yaml)). Each fault is injected into the running system, the whole manifest is
asserted once, and the fault is undone. Nobody but those in the third column is blamed, and nothing else fails: what stands
on them is skipped.

This page is written by `cargo run --bin three-tier -- faults --table examples/three-tier/FAULTS.md`, and a test holds it
to what happens, but for the times: those of the whole run, on two busy cores. The longest deadline in the manifest is 6 s.

| fault | verdict | blamed | it says | time to verdict |
| --- | --- | --- | --- | --- |
";

pub(super) fn write(seen: &[Seen]) -> String {
    let mut page = String::from(HEAD);
    for one in seen {
        let Seen { what, verdict, blamed, says, took_ms } = one;
        let blamed: Vec<_> = blamed.iter().map(|one| format!("`{one}`")).collect();
        let (verdict, blamed) = (verdict.as_str(), blamed.join(", "));
        page.push_str(&format!("| {what} | {verdict} | {blamed} | {says} | {took_ms:.0} ms |\n"));
    }
    page
}
