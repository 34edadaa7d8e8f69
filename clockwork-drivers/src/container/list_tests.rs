//! The shapes of the list, as engines of several kinds and ages send it.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use super::*;

fn containers(json: &str) -> Containers {
    Containers::new(String::from("an engine"), "docker", serde_json::from_str(json).unwrap())
}

fn seen(json: &str, name: &str) -> (ContainerState, Option<Health>) {
    let found = containers(json);
    let one = found.find(name).unwrap().unwrap();
    (one.state.clone(), one.health)
}

/// Docker 20.10 (API 1.41), shortened.
const DOCKER_20: &str = r#"[
  {"Id":"aaaaaaaaaaaa1111111111111111111111111111111111111111111111111111","Names":["/web","/proxy/backend"],
   "Image":"nginx","ImageID":"sha256:1","Command":"nginx","Created":1769860000,"Ports":[],"Labels":{},
   "State":"running","Status":"Up 5 minutes (healthy)","HostConfig":{"NetworkMode":"default"},
   "NetworkSettings":{"Networks":{}},"Mounts":[]},
  {"Id":"aaaaaaaaaaaa2222222222222222222222222222222222222222222222222222","Names":["/web-2"],"State":"running",
   "Status":"Up 2 seconds (health: starting)"},
  {"Id":"bbbbbbbbbbbb1111111111111111111111111111111111111111111111111111","Names":["/db"],"State":"running",
   "Status":"Up 5 minutes (unhealthy)"},
  {"Id":"cccccccccccc1111111111111111111111111111111111111111111111111111","Names":["/plain"],"State":"running",
   "Status":"Up 5 minutes"},
  {"Id":"dddddddddddd1111111111111111111111111111111111111111111111111111","Names":["/frozen"],"State":"paused",
   "Status":"Up 5 minutes (Paused)"},
  {"Id":"eeeeeeeeeeee1111111111111111111111111111111111111111111111111111","Names":["/job"],"State":"exited",
   "Status":"Exited (3) 5 seconds ago"},
  {"Id":"ffffffffffff1111111111111111111111111111111111111111111111111111","Names":null,"State":"removing",
   "Status":"Removal In Progress"}]"#;

#[test]
fn docker_tells_state_and_health_in_the_list() {
    use ContainerState::{Exited, Paused, Running};
    for (name, state, health) in [
        ("web", Running, Some(Health::Healthy)),
        ("web-2", Running, Some(Health::Starting)),
        ("db", Running, Some(Health::Unhealthy)),
        ("plain", Running, None),
        ("frozen", Paused, None),
        ("job", Exited, None),
    ] {
        assert_eq!(seen(DOCKER_20, name), (state, health), "{name}");
    }
}

#[test]
fn names_are_exact_and_ids_may_be_shortened_to_twelve_digits() {
    let found = containers(DOCKER_20);
    let names = |name: &str| found.find(name).unwrap().map(|one| one.names.clone());
    for stranger in ["we", "web-", "eb", "backend", "WEB", "", "bbbbbbbbbbb", "BBBBBBBBBBBB", "bbbbbbbbbbbb2"]
    {
        assert_eq!(names(stranger), None, "{stranger}");
    }
    assert_eq!(names("bbbbbbbbbbbb"), Some(vec![String::from("db")]));
    assert_eq!(names("proxy/backend"), names("web"));
    assert!(found.find("aaaaaaaaaaaa").unwrap_err().to_string().contains("more than one"));
}

#[test]
fn newer_engines_have_a_field_for_health() {
    let json = r#"[
      {"Id":"1","Names":["/a"],"State":"running","Status":"Up 5 minutes","Health":{"Status":"healthy","FailingStreak":0}},
      {"Id":"2","Names":["/b"],"State":"running","Status":"Up 5 minutes","Health":{"Status":"none","FailingStreak":0}},
      {"Id":"3","Names":["/c"],"State":"hibernating","Status":"Zzz","Health":{"Status":"dreaming"}}]"#;
    assert_eq!(seen(json, "a").1, Some(Health::Healthy));
    assert_eq!(seen(json, "b").1, Some(Health::Undefined));
    assert_eq!(seen(json, "c"), (ContainerState::Other(String::from("hibernating")), None));
}

#[test]
fn podman_has_states_of_its_own_and_no_health_in_the_list() {
    let json = r#"[
      {"Id":"1","Names":["/a"],"Image":"docker.io/library/nginx:latest","State":"configured","Status":"Created"},
      {"Id":"2","Names":["/b"],"State":"stopped","Status":"Exited (0) 2 hours ago"},
      {"Id":"3","Names":["/c"],"State":"running","Status":"Up 5 minutes","NetworkSettings":{"Networks":null}},
      {"Id":"4","Names":["/d"],"State":"stopping","Status":"Stopping"}]"#;
    assert_eq!(seen(json, "a"), (ContainerState::Created, None));
    assert_eq!(seen(json, "b"), (ContainerState::Exited, None));
    assert_eq!(seen(json, "c"), (ContainerState::Running, None));
    assert_eq!(seen(json, "d").0.to_string(), r#""stopping""#);
}

#[test]
fn a_status_cannot_be_mistaken_for_health() {
    for (status, health) in [
        ("Up 5 minutes (healthy)", Some(Health::Healthy)),
        ("Up 5 minutes (Paused)", None),
        ("Up 5 minutes ()", None),
        ("Exited (0) 5 minutes ago", None),
        ("(healthy) not", None),
        ("", None),
    ] {
        assert_eq!(Health::in_status(status), health, "{status}");
    }
}
