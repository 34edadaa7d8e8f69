//! Links the command at a fixed address where that makes it start sooner.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let says =
        |name: &str, word: &str| std::env::var(name).is_ok_and(|all| all.split(',').any(|one| one == word));
    // Half a megabyte of tables holds addresses. Where the program may lie anywhere, each page of them is copied and written
    // to at its start, which takes as long as all else that it does before it reads a manifest.
    let gnu = says("CARGO_CFG_TARGET_OS", "linux") && says("CARGO_CFG_TARGET_ENV", "gnu");
    // What is linked statically begins in another way.
    if gnu && !says("CARGO_CFG_TARGET_FEATURE", "crt-static") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
