//! A wrong command line: exit 2, nothing on standard output, nothing ran, and the way out.

use std::fs;

use crate::{Ended, clockwork, scripted};

#[test]
fn every_usage_error_names_the_way_out() {
    let here = tempfile::tempdir().unwrap();
    for (args, said) in [
        (&[][..], "Usage: clockwork"),
        (&["asert"], "a similar subcommand exists: 'assert'"),
        (&["assert", "--tags", "x"], "a similar argument exists: '--tag'"),
        (&["assert", "--format", "jsn"], "did you mean `json`? there are text, json, junit, tap, github,"),
        (&["assert", "--format", "json="], "name the file after the `=`"),
        (&["assert", "--format", "json", "--format", "tap"], "--format tap=FILE"),
        (&["assert", "--format", "json=missing/report.json"], "make it first"),
        (&["assert", "--format", "json=."], "it is a directory"),
        (&["assert", "--format", "json=a", "--format", "tap=./a"], "cannot both be written"),
        (&["assert", "--timeout", "soon"], "write `200ms`, `5s`"),
        (&["assert", "--timeout", "0s"], "longer than nothing"),
        (&["assert", "--concurrency", "0"], "--concurrency"),
        (&["assert", "--var", "novalue"], "NAME=VALUE"),
        (&["assert", "--color", "perhaps"], "auto, always, never"),
        (&["assert", "--fail-on", "errors"], "failed, warning"),
        (&["assert", "--no-annotations"], "has no meaning without --format github"),
        (&["assert", "--report-dir", "/proc/none"], "cannot make the directory /proc/none"),
        (&["graph", "--declared", "--only", "x"], "cannot be used with"),
        (&["graph", "--format", "png"], "text, dot, mermaid, svg"),
        (&["assert"], "write one, name another with --manifest FILE"),
        (&["assert", "--manifest", "there-is-none.yaml"], "cannot read the manifest, there-is-none.yaml"),
    ] {
        let ended = Ended::of(clockwork(&here).args(args));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains(said), "{args:?}: {}", ended.stderr);
    }
    assert_eq!(fs::read_dir(&here).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn only_what_works_is_listed() {
    let here = tempfile::tempdir().unwrap();
    let help = Ended::of(clockwork(&here).arg("--help")).stdout;
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<_> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["assert", "graph", "schema", "version", "help"]);
}

#[test]
fn a_manifest_of_another_name_is_pointed_to() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("clockwork.yml"), "").unwrap();
    let ended = Ended::of(clockwork(&here).arg("assert"));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("--manifest clockwork.yml"), "{ended:?}");
}

#[test]
fn a_manifest_without_end_is_not_read_to_it() {
    let here = tempfile::tempdir().unwrap();
    let ended = Ended::of(clockwork(&here).args(["assert", "--manifest", "/dev/zero"]));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("is longer than"), "{ended:?}");
}

#[test]
fn a_program_with_a_project_of_its_own_takes_no_other() {
    for args in [&["--manifest", "x.yaml"][..], &["--var", "x=1"], &["--vars-file", "x.yaml"]] {
        let ended = Ended::of(scripted("passes").arg("assert").args(args));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(ended.stderr.contains(&format!("{} has no meaning here", args[0])), "{ended:?}");
    }
    let help = Ended::of(scripted("passes").args(["assert", "--help"])).stdout;
    assert!(!help.contains("--manifest") && help.contains("--only"), "{help}");
}

#[test]
fn a_file_name_cannot_act_on_the_terminal() {
    let here = tempfile::tempdir().unwrap();
    let name = "x\u{1b}[2J.yaml";
    let ended = Ended::of(clockwork(&here).args(["assert", "--manifest", name]));
    assert_eq!(ended.code, Some(2));
    assert!(!ended.stderr.contains('\u{1b}'), "{ended:?}");
}
