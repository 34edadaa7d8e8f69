//! Disk usage, compared with `df` and `du`.

use std::fs;

use clockwork_assert::DiskUsageAssert;
use clockwork_core::{AssertionExt, Outcome};

use crate::run::{check, directory, output, told};

/// `df` rounds up, so what it shows is enough, and two less is not.
#[tokio::test]
async fn a_filesystem_is_as_full_as_df_says() {
    let (_kept, root) = directory();
    for path in ["/", root.to_str().unwrap(), "/etc/passwd", "/dev/shm"] {
        let percent: f64 = output("df", &["--output=pcent", path])
            .lines()
            .nth(1)
            .and_then(|line| line.trim().trim_end_matches('%').parse().ok())
            .unwrap();
        told(
            &check(DiskUsageAssert::new(path).max_percent((percent + 1.0).min(100.0))).await,
            Outcome::Passed,
        );
        if percent >= 2.0 {
            let result = check(DiskUsageAssert::new(path).max_percent(percent - 2.0)).await;
            assert!(
                told(&result, Outcome::Failed).starts_with(&format!("the filesystem of {path} is ")),
                "{}",
                result.message
            );
            told(&check(DiskUsageAssert::new(path).max_percent(percent - 2.0).not()).await, Outcome::Passed);
        }
    }
    let result = check(DiskUsageAssert::new("/proc").max_percent(100)).await;
    assert!(told(&result, Outcome::Errored).contains("has no size"), "{}", result.message);
    let gone = DiskUsageAssert::new(root.join("gone")).max_percent(100);
    told(&check(gone.clone()).await, Outcome::Failed);
    told(&check(gone.not()).await, Outcome::Errored);
}

#[tokio::test]
async fn a_directory_takes_what_du_says() {
    let (_kept, root) = directory();
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    fs::write(root.join("a/one"), vec![b'x'; 3_000_000]).unwrap();
    fs::write(root.join("a/b/two"), vec![b'x'; 1_000_000]).unwrap();
    fs::hard_link(root.join("a/one"), root.join("a/b/c/same")).unwrap();
    fs::File::create(root.join("a/holes")).unwrap().set_len(1 << 40).unwrap();
    std::os::unix::fs::symlink("/usr", root.join("a/link")).unwrap();
    for name in ["a", "a/b", "a/one", "a/holes"] {
        let path = root.join(name);
        let counted = output("du", &["-x", "-s", "--block-size=1", path.to_str().unwrap()]);
        let bytes: f64 = counted.split('\t').next().unwrap().parse().unwrap();
        let megabytes = bytes / 1e6;
        told(&check(DiskUsageAssert::new(&path).max_mb(megabytes)).await, Outcome::Passed);
        if megabytes > 0.0 {
            let result = check(DiskUsageAssert::new(&path).max_mb(megabytes - 0.001)).await;
            assert!(
                told(&result, Outcome::Failed).starts_with(&format!("{} takes ", path.display())),
                "{}",
                result.message
            );
        }
    }
    let both = DiskUsageAssert::new(root.join("a")).max_mb(1).max_percent(100);
    let result = check(both).await;
    assert!(!told(&result, Outcome::Failed).contains("full"), "{}", result.message);
}

/// Where the path is a mount point, what its filesystem uses: nothing has to be walked for that.
#[tokio::test]
async fn a_mount_point_takes_what_its_filesystem_uses() {
    let used: f64 = output("df", &["--block-size=1", "--output=used", "/"])
        .lines()
        .nth(1)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    told(&check(DiskUsageAssert::new("/").max_mb(used / 1e6 * 1.1)).await, Outcome::Passed);
    let result = check(DiskUsageAssert::new("/").max_mb(used / 1e6 * 0.9)).await;
    assert!(told(&result, Outcome::Failed).starts_with("the filesystem at / uses "), "{}", result.message);
}
