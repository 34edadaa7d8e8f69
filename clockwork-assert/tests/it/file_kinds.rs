//! Directories, ages of files and free space, compared with `stat` and `df`.

use std::{
    fs,
    os::unix::fs::symlink,
    time::{Duration, SystemTime},
};

use clockwork_assert::{DirectoryExistsAssert, DiskSpaceAssert, FileModifiedWithinAssert};
use clockwork_core::{AssertionExt, Outcome};

use crate::run::{check, directory, output, told};

#[tokio::test]
async fn a_directory_is_told_from_everything_else() {
    let (_kept, root) = directory();
    fs::create_dir(root.join("there")).unwrap();
    fs::write(root.join("file"), "x").unwrap();
    symlink("there", root.join("link")).unwrap();
    symlink("/no/where", root.join("dangling")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    let shown = root.display();
    // path, as it is, turned around, what it says
    for (name, outcome, turned, says) in [
        ("there", Outcome::Passed, Outcome::Failed, format!("{shown}/there is a directory")),
        ("there/", Outcome::Passed, Outcome::Failed, format!("{shown}/there/ is a directory")),
        ("link", Outcome::Passed, Outcome::Failed, format!("{shown}/link is a directory")),
        (
            "file",
            Outcome::Failed,
            Outcome::Errored,
            format!("{shown}/file is a regular file, not a directory"),
        ),
        ("gone", Outcome::Failed, Outcome::Passed, format!("{shown}/gone is missing")),
        (
            "dangling",
            Outcome::Failed,
            Outcome::Passed,
            format!(
                "{shown}/dangling is missing: the link {shown}/dangling leads to /no/where, which is not there"
            ),
        ),
        (
            "loop",
            Outcome::Failed,
            Outcome::Passed,
            format!("{shown}/loop is missing: the link {shown}/loop leads in a circle"),
        ),
        (
            "file/below",
            Outcome::Failed,
            Outcome::Passed,
            format!("{shown}/file/below is missing: {shown}/file is not a directory"),
        ),
    ] {
        let path = root.join(name);
        // The witness.
        let is = std::process::Command::new("test").arg("-d").arg(&path).status().unwrap().success();
        assert_eq!(is, outcome == Outcome::Passed, "{name}");
        assert_eq!(told(&check(DirectoryExistsAssert::new(&path)).await, outcome), says);
        told(&check(DirectoryExistsAssert::new(&path).not()).await, turned);
    }
}

#[tokio::test]
async fn a_file_is_as_old_as_stat_says() {
    let (_kept, root) = directory();
    let path = root.join("file");
    fs::write(&path, "x").unwrap();
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let touch = |date: &str| output("touch", &["--no-dereference", "--date", date, path.to_str().unwrap()]);
    let age = |path: &str| {
        let modified: u64 = output("stat", &["--dereference", "--format=%Y", path]).parse().unwrap();
        SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs().saturating_sub(modified)
    };
    touch("now");
    told(&check(FileModifiedWithinAssert::new(&path, hours(1))).await, Outcome::Passed);
    told(&check(FileModifiedWithinAssert::new(&path, hours(1)).not()).await, Outcome::Failed);
    touch("3 hours ago");
    let seconds = age(path.to_str().unwrap());
    assert!((10_800..10_860).contains(&seconds), "{seconds}");
    told(&check(FileModifiedWithinAssert::new(&path, hours(4))).await, Outcome::Passed);
    let result = check(FileModifiedWithinAssert::new(&path, hours(2))).await;
    let message = told(&result, Outcome::Failed);
    assert!(message.starts_with(&format!("{} was last modified 3h", path.display())), "{message}");
    told(&check(FileModifiedWithinAssert::new(&path, hours(2)).not()).await, Outcome::Passed);
    // A link is as old as what it leads to.
    symlink(&path, root.join("link")).unwrap();
    told(&check(FileModifiedWithinAssert::new(root.join("link"), hours(2))).await, Outcome::Failed);
    touch("1 hour");
    for assertion in [
        check(FileModifiedWithinAssert::new(&path, hours(4))).await,
        check(FileModifiedWithinAssert::new(&path, hours(0))).await,
    ] {
        let message = told(&assertion, Outcome::Failed);
        assert!(
            message.contains(" in the future: a clock is wrong, or its time was set by hand"),
            "{message}"
        );
    }
    told(&check(FileModifiedWithinAssert::new(&path, hours(4)).not()).await, Outcome::Errored);
    touch("1960-01-01");
    told(&check(FileModifiedWithinAssert::new(&path, hours(4))).await, Outcome::Failed);
    let gone = || FileModifiedWithinAssert::new(root.join("gone"), hours(1));
    told(&check(gone()).await, Outcome::Failed);
    told(&check(gone().not()).await, Outcome::Errored);
}

/// `df` rounds up what is used, and shows what is available in whole blocks.
#[tokio::test]
async fn as_much_is_free_as_df_says() {
    let (_kept, root) = directory();
    for path in ["/", root.to_str().unwrap(), "/etc/passwd", "/dev/shm"] {
        let df = |column: &str| -> f64 {
            let told = output("df", &["--block-size=1", &format!("--output={column}"), path]);
            told.lines().nth(1).unwrap().trim().trim_end_matches('%').parse().unwrap()
        };
        let (gigabytes, percent, inodes) = (df("avail") / 1e9, 100.0 - df("pcent"), df("iavail"));
        let space = || DiskSpaceAssert::new(path);
        // Others write at the same time.
        told(&check(space().min_gb_free((gigabytes - 0.5).max(0.0))).await, Outcome::Passed);
        let result = check(space().min_gb_free(gigabytes + 0.5)).await;
        let message = told(&result, Outcome::Failed);
        assert!(message.starts_with(&format!("the filesystem of {path} has ")), "{message}");
        told(&check(space().min_gb_free(gigabytes + 0.5).not()).await, Outcome::Passed);
        told(&check(space().min_percent_free((percent - 2.0).max(0.0))).await, Outcome::Passed);
        if percent < 97.0 {
            told(&check(space().min_percent_free(percent + 3.0)).await, Outcome::Failed);
        }
        if inodes > 2000.0 {
            told(&check(space().inodes(inodes as u64 - 1000)).await, Outcome::Passed);
            told(&check(space().inodes(inodes as u64 + 1000)).await, Outcome::Failed);
        }
    }
    let result = check(DiskSpaceAssert::new("/proc").min_gb_free(0)).await;
    assert!(told(&result, Outcome::Errored).contains("has no size"), "{}", result.message);
    let gone = || DiskSpaceAssert::new(root.join("gone")).min_gb_free(0);
    told(&check(gone()).await, Outcome::Failed);
    told(&check(gone().not()).await, Outcome::Errored);
}

/// A file system of a few inodes, in a mount namespace of its own: bytes are left, and no file can be made.
#[test]
fn a_filesystem_without_inodes_is_full() {
    if output("id", &["-u"]) != "0" {
        return; // only root can mount
    }
    let script = format!(
        "mount -t tmpfs -o size=64m,nr_inodes=4 tmpfs /mnt && touch /mnt/1 /mnt/2 /mnt/3 && ! touch /mnt/4 2>&1 && \
         exec {} --exact file_kinds::without_inodes --ignored --nocapture",
        std::env::current_exe().unwrap().display()
    );
    let mut command = std::process::Command::new("unshare");
    let output = command.args(["--mount", "sh", "-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 passed"), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
#[ignore = "run by a_filesystem_without_inodes_is_full, where there is such a file system"]
async fn without_inodes() {
    let result = check(DiskSpaceAssert::new("/mnt").min_percent_free(50)).await;
    let told = told(&result, Outcome::Failed);
    assert_eq!(
        told,
        "the filesystem of /mnt has no inode left: no file can be made on it, however many bytes are free"
    );
}
