//! Mistakes that do not compile, and what the compiler says to them.
//!
//! `TRYBUILD=overwrite cargo test -p compile` writes the texts anew. They are those of one release of
//! rustc; others word them otherwise, so there the mistakes are left to be mistakes.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that can't go on shall stop")]

use std::process::Command;

/// Whose words the `.stderr` files are.
const RELEASE: &str = "rustc 1.95.";

#[test]
fn a_mistake_is_explained() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    if !version.starts_with(RELEASE) {
        eprintln!("the texts are those of {RELEASE}x and this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/cases/*.rs");
}
