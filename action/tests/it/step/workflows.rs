//! The workflows use what there is, and nothing that can be moved under them.

use std::{fs, path::Path};

use super::action;
use crate::runner::Yaml;

/// Every `uses` of every workflow, with its step.
fn uses() -> Vec<(String, Yaml)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.github/workflows");
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let workflow = Yaml::parse(&fs::read_to_string(entry.unwrap().path()).unwrap());
        for (_, job) in workflow.get("jobs").unwrap().entries() {
            let steps = job.get("steps").map_or(&[][..], Yaml::items).iter();
            found.extend(
                steps
                    .filter(|it| it.get("uses").is_some())
                    .map(|it| (it.text("uses").to_owned(), it.clone())),
            );
        }
    }
    found
}

#[test]
fn every_action_is_pinned_to_a_commit() {
    for (name, _) in uses() {
        let pinned = name.split_once('@').is_some_and(|(_, commit)| {
            commit.len() == 40 && commit.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
        });
        assert!(pinned || name == "./action", "{name}");
    }
}

#[test]
fn ours_is_used_with_inputs_that_it_has() {
    let described = Yaml::parse(&fs::read_to_string(action().join("action.yml")).unwrap());
    let inputs = described.get("inputs").unwrap();
    let ours: Vec<_> = uses().into_iter().filter(|(name, _)| name == "./action").collect();
    assert_eq!(ours.len(), 1);
    for (name, _) in ours[0].1.get("with").unwrap().entries() {
        assert!(inputs.get(name).is_some(), "{name}");
    }
}
