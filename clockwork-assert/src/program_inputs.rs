//! What the verdict of a program rests on beside its fields, for `fresh_for`: the program itself, the files that its
//! arguments name, and the variables that it is granted. What it reads beside these is the world, which is looked at anew
//! when the pass is too old.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use clockwork_core::Input;
use clockwork_drivers::sandbox::Sandbox;

/// How many files beside a script are looked at.
const NEIGHBOURS: usize = 500;

/// Of a command with these words.
pub(crate) fn of_command(words: &[String], cwd: Option<&Path>, sandbox: &Sandbox) -> Vec<Input> {
    let mut inputs = of_environment(sandbox);
    let here = |word: &str| cwd.map_or_else(|| PathBuf::from(word), |cwd| cwd.join(word));
    if let Some((program, arguments)) = words.split_first() {
        inputs.extend(of_program(program, here(program)));
        inputs.extend(arguments.iter().map(|word| here(word)).filter(|path| path.is_file()).map(Input::File));
    }
    inputs
}

/// Of a script of this interpreter: itself, and what lies beside it in its language, which it may import.
pub(crate) fn of_script(interpreter: &str, script: &Path, sandbox: &Sandbox) -> Vec<Input> {
    let mut inputs = of_environment(sandbox);
    inputs.extend(of_program(interpreter, PathBuf::from(interpreter)));
    inputs.push(Input::File(script.to_owned()));
    let beside = script.parent().filter(|directory| !directory.as_os_str().is_empty());
    let entries = fs::read_dir(beside.unwrap_or(Path::new("."))).into_iter().flatten().flatten();
    let mut others: Vec<_> = entries.map(|entry| entry.path()).collect();
    others.retain(|path| path.extension() == script.extension() && path.is_file());
    others.sort();
    inputs.extend(others.into_iter().take(NEIGHBOURS).map(Input::File));
    inputs
}

/// A name is looked for in the directories of PATH.
fn of_program(name: &str, path: PathBuf) -> Vec<Input> {
    if name.contains('/') {
        return vec![Input::File(path)];
    }
    let directories = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&directories).map(|one| one.join(name)).find(|path| path.is_file());
    std::iter::once(Input::Env("PATH".into())).chain(found.map(Input::File)).collect()
}

/// Without a sandbox a program is given the whole environment.
fn of_environment(sandbox: &Sandbox) -> Vec<Input> {
    if !sandbox.is_off() {
        return sandbox.granted_variables().iter().cloned().map(Input::Env).collect();
    }
    let mut names: Vec<_> = env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    names.sort();
    names.into_iter().map(Input::Env).collect()
}
