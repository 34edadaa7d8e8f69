//! What Rust's library tells of files is what Linux's own calls tell: so that other systems, on which these tests do not run,
//! are told the same.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use super::{Found, elsewhere, linux, scan::Abandon, usage::Walked};

fn tree() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    fs::create_dir_all(at("a/b/c")).unwrap();
    fs::create_dir(at("open")).unwrap();
    fs::set_permissions(at("open"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(at("a/file"), "some content\n").unwrap();
    fs::write(at("open/file"), vec![7; 100_000]).unwrap();
    fs::set_permissions(at("a/file"), fs::Permissions::from_mode(0o4640)).unwrap();
    fs::hard_link(at("a/file"), at("a/b/again")).unwrap();
    symlink("a/file", at("relative")).unwrap();
    symlink(at("open/file"), at("absolute")).unwrap();
    symlink("relative", at("twice")).unwrap();
    symlink("a", at("directory")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("circle", at("circle")).unwrap();
    nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    root
}

fn paths(root: &Path) -> Vec<PathBuf> {
    let inside = [
        "a",
        "a/",
        "a/file",
        "a/b/again",
        "open/file",
        "relative",
        "absolute",
        "twice",
        "directory",
        "directory/file",
        "dangling",
        "dangling/x",
        "circle",
        "circle/x",
        "fifo",
        "nowhere",
        "nowhere/x/y",
        "a/file/x",
        "a/file/x/y",
        "a/../a/file",
        "./a//file",
    ];
    let long = "x".repeat(300);
    let outside = ["/dev/null", "/proc/self/status", "/", "/tmp", "relative-to-nothing"];
    inside
        .iter()
        .map(|path| root.join(path))
        .chain([root.join(long)])
        .chain(outside.map(PathBuf::from))
        .collect()
}

#[test]
fn what_is_at_a_path_is_told_alike() {
    let root = tree();
    let (here, there) = (linux::Root::open(None).unwrap(), elsewhere::Root::open(None).unwrap());
    for path in paths(root.path()) {
        let (here, there) = (linux::stat(&here, &path).unwrap(), elsewhere::stat(&there, &path).unwrap());
        assert_eq!(here, there, "{}", path.display());
    }
    assert!(elsewhere::Root::open(Some(1)).is_err(), "no container's root is this machine's");
}

#[test]
fn what_is_opened_is_alike() {
    let root = tree();
    let (here, there) = (linux::Root::open(None).unwrap(), elsewhere::Root::open(None).unwrap());
    for path in paths(root.path()).into_iter().filter(|path| !path.starts_with("/proc")) {
        let read = |opened: Found<(fs::File, u64)>| match opened {
            Found::There((mut file, claimed)) => {
                let mut content = Vec::new();
                file.read_to_end(&mut content).unwrap();
                Found::There((content, claimed))
            }
            Found::NotRegular(what) => Found::NotRegular(what),
            Found::Missing(missing) => Found::Missing(missing),
        };
        let (here, there) = (linux::open(&here, &path).unwrap(), elsewhere::open(&there, &path).unwrap());
        assert_eq!(read(here), read(there), "{}", path.display());
    }
}

#[tokio::test]
async fn what_is_measured_is_alike() {
    use clockwork_core::{Context, Engine, Project, assertion};
    let check = assertion("measures alike", async |cx: Context| {
        let abandon = Abandon::default();
        measure(&Walked::new(abandon.flag(), cx));
        Ok(true)
    });
    let report = Engine::standard().assert(&Project::new("test").assert(check)).await.unwrap();
    assert!(report.passed(), "{report}");
}

fn measure(walked: &Walked) {
    let root = tree();
    let (here, there) = (linux::Root::open(None).unwrap(), elsewhere::Root::open(None).unwrap());
    for path in paths(root.path()).into_iter().filter(|path| path.starts_with(root.path())) {
        let told = (linux::directory(&here, &path, walked), elsewhere::directory(&there, &path, walked));
        assert_eq!(told.0.unwrap(), told.1.unwrap(), "{}", path.display());
        match (linux::filesystem(&here, &path).unwrap(), elsewhere::filesystem(&there, &path).unwrap()) {
            (Ok(here), Ok(there)) => {
                assert_eq!((here.total, here.is_mount_point), (there.total, there.is_mount_point));
                // Others write to it meanwhile.
                assert!(here.available.abs_diff(there.available) < 4 << 30, "{}", path.display());
            }
            (here, there) => assert_eq!(here, there),
        }
    }
}

#[cfg(feature = "container")]
#[test]
fn a_file_without_a_name_is_a_file() {
    use std::io::Seek;
    let mut file = elsewhere::nameless().unwrap();
    file.write_all(b"copied").unwrap();
    file.rewind().unwrap();
    let mut content = String::new();
    file.read_to_string(&mut content).unwrap();
    assert_eq!(content, "copied");
}
