//! The shapes that control groups have on machines of several kinds.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn text(pattern: &str) -> String {
    pattern.replace("ID", ID)
}

#[test]
fn a_process_tells_its_container_on_every_kind_of_machine() {
    for (pattern, own) in [
        ("0::/docker/ID", "/docker/ID"),
        ("0::/system.slice/docker-ID.scope", "/system.slice/docker-ID.scope"),
        ("0::/system.slice/docker-ID.scope/init.scope", "/system.slice/docker-ID.scope"),
        (
            "0::/user.slice/user-1000.slice/libpod-ID.scope/container",
            "/user.slice/user-1000.slice/libpod-ID.scope",
        ),
        ("0::/kubepods/pod7/cri-containerd-ID.scope", "/kubepods/pod7/cri-containerd-ID.scope"),
    ] {
        let (id, paths) = Paths::parse(&text(pattern)).unwrap();
        assert_eq!((id.as_str(), paths.unified.unwrap()), (ID, text(own)), "{pattern}");
    }
    let hybrid = "9:name=systemd:/docker/ID\n4:memory:/docker/ID\n2:cpu,cpuacct:/docker/ID\n0::/docker/ID";
    let (_, paths) = Paths::parse(&text(hybrid)).unwrap();
    assert_eq!(paths.memory, paths.cpuacct);
    assert_eq!(paths.memory.unwrap(), text("/docker/ID"));
}

#[test]
fn what_only_names_a_container_is_not_in_it() {
    let other = text("4:memory:/docker/ID\n2:cpuacct:/docker/fedcID").replace("fedc0123", "fedc4567");
    let short = "0::/docker/0123456789ab";
    for pattern in ["0::/", "0::/machine.slice/libpod-conmon-ID.scope", "", "nonsense", short] {
        assert_eq!(Paths::parse(&text(pattern)), None, "{pattern}");
    }
    assert!(names_container(&other, ID), "a longer name is none");
    assert!(!names_container(&text("0::/docker/ID"), &ID.replace('0', "1")));
}

#[test]
fn hierarchies_are_found_wherever_they_are_mounted() {
    let hybrid = "30 24 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro\n\
                  31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n\
                  36 30 0:31 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
                  37 30 0:32 /outer /my\\040mount rw,relatime - cgroup cgroup rw,cpu,cpuacct\n";
    let mounts = Mounts::parse(hybrid);
    let (_, paths) = Paths::parse(&text("4:memory:/docker/ID\n2:cpu,cpuacct:/outer/docker/ID")).unwrap();
    let folder = |mount: &Option<(PathBuf, String)>, path: &Option<String>| {
        locate(mount.as_ref().unwrap(), path.as_deref().unwrap()).unwrap().0.display().to_string()
    };
    assert_eq!(folder(&mounts.memory, &paths.memory), text("/sys/fs/cgroup/memory/docker/ID"));
    assert_eq!(folder(&mounts.cpuacct, &paths.cpuacct), text("/my mount/docker/ID"));
    let beside = (PathBuf::from("/sys/fs/cgroup"), String::from("/"));
    assert_eq!(locate(&beside, "/../docker/x"), None);
}

#[test]
fn both_versions_are_read_the_same_way() {
    let there = tempfile::tempdir().unwrap();
    let file = |path: &str, content: &str| {
        let path = there.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    file("v2/memory.max", "max\n");
    file("v2/slice/memory.max", "4000\n");
    file("v2/slice/one/memory.max", "max\n");
    file("v2/slice/one/memory.current", "3000\n");
    file("v2/slice/one/memory.stat", "anon 1\ninactive_file 1000\nactive_file 5\n");
    file("v2/slice/one/cpu.stat", "usage_usec 7\nuser_usec 3\n");
    file("v1/one/memory.usage_in_bytes", "3000\n");
    file("v1/one/memory.stat", "inactive_file 1\nhierarchical_memory_limit 4000\ntotal_inactive_file 1000\n");
    file("v1/one/cpuacct.usage", "7000\n");
    let (v1, v2) = (there.path().join("v1/one"), there.path().join("v2/slice/one"));
    let root = there.path().join("v2");
    let v2 = Folder::V2 { folder: v2, root };
    let both =
        [(Folder::V1(v1.clone()), Folder::V1(v1.clone())), (v2.clone(), v2.clone()), (Folder::V1(v1), v2)];
    for (memory, cpu) in both {
        let group = Group { memory, cpu };
        let expected = Memory { used: 2000, limit: 4000, processes: None };
        assert_eq!(group.memory().unwrap(), expected, "{group:?}");
        assert_eq!(group.cpu_nanos().unwrap(), 7000, "{group:?}");
    }
}
