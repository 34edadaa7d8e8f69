//! What programs see alike is made once; and each sees what is there when it starts.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clockwork_assert::CommandAssert;
use clockwork_core::{AssertionExt, Context, Engine, Outcome, Project, assertion};
use clockwork_drivers::sandbox::Sandbox;

use crate::run::{output, told};

const LONG: Duration = Duration::from_secs(60);

/// Unmounts it, whatever becomes of the test.
struct Mounted<'p>(&'p Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[tokio::test]
async fn a_program_sees_what_lies_at_a_path_when_it_starts() {
    // Beneath `/tmp`, which each program has of its own, and elsewhere.
    for place in [std::env::temp_dir(), PathBuf::from(env!("CARGO_TARGET_TMPDIR"))] {
        let kept = tempfile::tempdir_in(place).unwrap();
        replaced(&fs::canonicalize(kept.path()).unwrap()).await;
    }
}

async fn replaced(root: &Path) {
    let (granted, inside) = (root.join("granted"), root.join("granted/inside"));
    fs::create_dir_all(&inside).unwrap();
    fs::write(granted.join("file"), "first").unwrap();
    let reads = |path: &Path, word: &str| {
        let shown = path.join("file").display().to_string();
        let command = CommandAssert::new(["grep".to_owned(), "-q".to_owned(), word.to_owned(), shown]);
        command.sandbox(Sandbox::new().read(&granted)).timeout(LONG)
    };
    let replace = {
        let (granted, aside, inside) = (granted.clone(), root.join("aside"), inside.clone());
        assertion("replaces it", move |_: Context| {
            let replaced = fs::rename(&granted, &aside)
                .and_then(|()| fs::create_dir_all(&inside))
                .and_then(|()| fs::write(granted.join("file"), "second"));
            std::future::ready(replaced.is_ok())
        })
    };
    let mut project = Project::new("anew")
        .assert(reads(&granted, "first"))
        .assert(replace)
        .assert(reads(&granted, "second"))
        .assert(reads(&granted, "sec"));
    let mounts = output("id", &["-u"]) == "0";
    let _mounted = mounts.then(|| Mounted(&inside));
    if mounts {
        let there = inside.clone();
        let mount = assertion("mounts into it", move |_: Context| {
            let path = there.display().to_string();
            output("mount", &["-t", "tmpfs", "clockwork-test", &path]);
            std::future::ready(fs::write(there.join("file"), "third").is_ok())
        });
        project = project.assert(mount).assert(reads(&inside, "third"));
    }
    let engine = Engine::builder().concurrency(1).build().unwrap();
    for result in &engine.assert(&project).await.unwrap().results {
        told(result, Outcome::Passed);
    }
}
