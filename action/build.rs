//! Links the command at a fixed address where that makes it start sooner.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, wanted: &str| std::env::var(name).is_ok_and(|value| value == wanted);
    // Half a megabyte of tables holds addresses. Where the program may lie anywhere, each page of them is copied and written
    // to at its start, which takes as long as all else that it does before it reads a manifest.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
