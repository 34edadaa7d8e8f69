//! Looking under another root, as from inside a container: real directories, and a real mount namespace.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::{
    Absence, AccountProbe, FileBytes, FileType, Found,
    content::read,
    linux::{Root, stat},
};

/// A root directory with links that would lead out of it on the host.
fn container() -> (tempfile::TempDir, Root) {
    let directory = tempfile::tempdir().unwrap();
    let at = |path: &str| directory.path().join(path);
    fs::create_dir_all(at("etc/app")).unwrap();
    fs::create_dir_all(at("srv")).unwrap();
    fs::write(at("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n#no:x:1:1\nbroken\napp:x:1234:77::/:\n")
        .unwrap();
    fs::write(at("etc/group"), "root:x:0:\nworkers:x:77:app\n").unwrap();
    fs::write(at("etc/hostname"), "inside\n").unwrap();
    symlink("/etc/hostname", at("srv/absolute")).unwrap();
    symlink("../../../../../../etc/hostname", at("srv/climbing")).unwrap();
    symlink("/etc", at("srv/directory")).unwrap();
    symlink("/proc/self/root/etc/hostname", at("srv/magic")).unwrap();
    let root = Root::at(directory.path()).unwrap();
    (directory, root)
}

fn content(root: &Root, path: &str) -> String {
    match read(root, Path::new(path), 1000).unwrap() {
        Found::There(FileBytes::Whole(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("{path}: {other:?}"),
    }
}

#[test]
fn no_link_leads_out_of_a_container() {
    let (_kept, root) = container();
    for path in [
        "/etc/hostname",
        "etc/hostname",
        "/srv/absolute",
        "/srv/climbing",
        "/srv/directory/hostname",
        "/../../etc/hostname",
    ] {
        assert_eq!(content(&root, path), "inside\n", "{path}");
    }
    let meta = stat(&root, Path::new("/srv/absolute")).unwrap().unwrap();
    assert_eq!(
        (meta.file_type, meta.size, meta.link),
        (FileType::Regular, 7, Some(PathBuf::from("/etc/hostname")))
    );
    let missing = stat(&root, Path::new("/srv/magic")).unwrap().unwrap_err();
    assert_eq!(missing.why, Absence::DanglingLink(PathBuf::from("/proc/self/root/etc/hostname")));
    let missing = stat(&root, Path::new("/srv/directory/app/x/y")).unwrap().unwrap_err();
    assert_eq!((missing.path.as_path(), missing.why), (Path::new("/srv/directory/app/x"), Absence::NotThere));
    // What the host has and the container does not.
    assert!(stat(&root, Path::new("/usr/bin/env")).unwrap().is_err());
}

#[test]
fn a_containers_users_are_its_own() {
    let (directory, root) = container();
    let found = |probe: AccountProbe| probe.inside(&root).unwrap().map(|account| account.to_string());
    assert_eq!(found(AccountProbe::UserNamed(String::from("app"))), Some(String::from("app (1234)")));
    assert_eq!(found(AccountProbe::User(1234)), Some(String::from("app (1234)")));
    assert_eq!(found(AccountProbe::Group(77)), Some(String::from("workers (77)")));
    assert_eq!(found(AccountProbe::GroupNamed(String::from("app"))), None);
    assert_eq!(found(AccountProbe::User(65534)), None); // whom the host knows
    fs::remove_file(directory.path().join("etc/passwd")).unwrap();
    assert_eq!(found(AccountProbe::User(0)), None);
}

/// Ends its process with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_process_shows_what_its_mount_namespace_holds() {
    let directory = tempfile::tempdir().unwrap();
    let inside = directory.path().to_str().unwrap();
    let script =
        format!("mount -t tmpfs none {inside} && echo seen > {inside}/file && echo ready && exec sleep 64.5");
    // A user namespace too, so that this needs no root; and to see that ids are those of the inside.
    let child = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .stdout(Stdio::piped())
        .spawn();
    let mut child = Running(child.unwrap());
    let mut ready = [0; 6];
    std::io::Read::read_exact(child.0.stdout.as_mut().unwrap(), &mut ready).unwrap();
    let path = format!("{inside}/file");
    assert!(!fs::exists(&path).unwrap());
    let root = Root::open(Some(child.0.id())).unwrap();
    assert_eq!(content(&root, &path), "seen\n");
    let meta = stat(&root, Path::new(&path)).unwrap().unwrap();
    assert_eq!((meta.uid, meta.gid), (0, 0));
}

#[test]
fn a_container_that_ended_is_the_targets_fault() {
    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    let error = Root::open(Some(pid)).unwrap_err();
    assert_eq!(error.fault(), clockwork_core::Fault::Target);
    assert_eq!(error.to_string(), format!("the container ended: its first process {pid} is gone"));
}
