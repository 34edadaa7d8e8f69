//! What an interpreter has to read to run: found by looking at where it lies, as to ask it would be to start it.

use std::{
    env, fs,
    io::Read,
    path::{Path, PathBuf},
};

/// Where this interpreter is, if it is there: one without a `/` is looked for in the directories of PATH.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    let directories = env::var_os("PATH")?;
    env::split_paths(&directories).map(|directory| directory.join(program)).find(|path| path.is_file())
}

/// The directories that it cannot run without: its own, the one that its virtual environment is made of, and the packages
/// that its user has installed.
pub(super) fn places(program: &str) -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Some(path) = find(program) {
        of(&path, &mut places);
        // A script that starts another one, such as those of pyenv.
        if is_script(&path) {
            let named = ["python3", "python"].into_iter().filter(|name| *name != program);
            named.filter_map(find).filter(|other| *other != path).for_each(|other| of(&other, &mut places));
        }
    }
    if let Some(home) = env::var_os("HOME") {
        places.extend(
            fs::read_dir(Path::new(&home).join(".local/lib"))
                .into_iter()
                .flatten()
                .flatten()
                .filter(|entry| entry.file_name().to_string_lossy().starts_with("python"))
                .map(|entry| entry.path().join("site-packages"))
                .filter(|path| path.is_dir()),
        );
    }
    places.sort();
    places.dedup();
    places
}

/// Whether a directory is many people's, or all that somebody has: a file in it is no reason to read the rest.
pub(super) fn belongs_to_many(directory: &Path) -> bool {
    let home = env::var_os("HOME").map(PathBuf::from);
    let known = ["/", "/tmp", "/var/tmp", "/home", "/root", "/dev/shm"].map(Path::new);
    known.contains(&directory)
        || directory.parent() == Some(Path::new("/home"))
        || home.is_some_and(|home| home == directory)
}

/// `…/bin/python3` is of `…`; so are the one that it is a link to, and the one that `pyvenv.cfg` names. Versions that a
/// manager keeps lie beside its `shims`.
fn of(path: &Path, places: &mut Vec<PathBuf>) {
    let prefix = |path: &Path| path.parent().and_then(Path::parent).map(Path::to_path_buf);
    let parent = path.parent().map(Path::to_path_buf);
    let Some(own) = prefix(&env::current_dir().unwrap_or_default().join(path)) else { return };
    let managed = parent.is_some_and(|parent| parent.file_name().is_some_and(|name| name == "shims"));
    let environment = own.join("pyvenv.cfg");
    if managed || environment.is_file() || own.join("lib").is_dir() {
        places.push(own);
    } else {
        places.push(path.to_path_buf());
    }
    if let Ok(text) = fs::read_to_string(environment) {
        let home = text.lines().find_map(|line| line.split_once('=').filter(|(key, _)| key.trim() == "home"));
        places.extend(home.and_then(|(_, home)| Some(Path::new(home.trim()).parent()?.to_path_buf())));
    }
    if let Ok(real) = fs::canonicalize(path)
        && real != path
    {
        places.extend(prefix(&real));
    }
    // The directory above all would be everything.
    places.retain(|place| place.parent().is_some());
}

fn is_script(path: &Path) -> bool {
    let mut start = [0; 2];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"#!"
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn an_environment_needs_the_interpreter_that_it_was_made_of() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for made in ["base/bin", "base/lib", "project/.venv/bin"] {
            fs::create_dir_all(root.join(made)).unwrap();
        }
        fs::write(root.join("base/bin/python3.11"), "").unwrap();
        let python = root.join("project/.venv/bin/python");
        symlink(root.join("base/bin/python3.11"), &python).unwrap();
        fs::write(root.join("project/.venv/pyvenv.cfg"), format!("home = {}/base/bin\n", root.display()))
            .unwrap();
        let mut places = Vec::new();
        of(&python, &mut places);
        assert!(places.contains(&root.join("project/.venv")), "{places:?}");
        assert!(places.contains(&root.join("base")), "{places:?}");
    }

    #[test]
    fn the_shims_of_a_manager_need_all_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let shims = directory.path().join("shims");
        fs::create_dir(&shims).unwrap();
        fs::write(shims.join("python3"), "#!/bin/sh\n").unwrap();
        let mut places = Vec::new();
        of(&shims.join("python3"), &mut places);
        assert_eq!(places, [directory.path()]);
        assert!(is_script(&shims.join("python3")));
    }
}
