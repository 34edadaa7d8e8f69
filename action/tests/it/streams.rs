//! Standard output carries the result alone; colours only where they are wanted; a reader may leave early.

use std::{fs::File, io::Read, process::Stdio};

use crate::{Ended, clockwork, scripted};

#[test]
fn colours_follow_the_option_and_the_environment() {
    for (args, env, coloured) in [
        (&[][..], None, false),
        (&["--color", "always"], None, true),
        (&["--color", "always"], Some("NO_COLOR"), true),
        (&["--color", "never"], Some("CLICOLOR_FORCE"), false),
        (&[], Some("CLICOLOR_FORCE"), true),
        (&[], Some("NO_COLOR"), false),
    ] {
        let mut command = scripted("passes");
        command.arg("assert").args(args);
        if let Some(name) = env {
            command.env(name, "1");
        }
        let ended = Ended::of(&mut command);
        assert_eq!(ended.stdout.contains("\x1b["), coloured, "{args:?} {env:?}: {ended:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    for format in ["text", "json", "junit", "tap"] {
        let mut command = scripted("many");
        command.args(["assert", "--format", format]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut first = [0; 100];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap(); // and closed
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{format}: {stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains("error"), "{format}: {stderr}");
    }
}

#[test]
fn a_full_disk_is_one() {
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let here = tempfile::tempdir().unwrap();
    for (mut command, args) in [
        (scripted("passes"), &["assert"][..]),
        (scripted("passes"), &["graph"]),
        (clockwork(&here), &["version"]),
    ] {
        let child = command.args(args).stdout(full()).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("cannot write the result to standard output")
        );
    }
}
