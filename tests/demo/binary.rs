//! Finding the demo's program: cargo tells a test the path of no example.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::SystemTime,
};

/// The program, built if it is missing or older than its sources: `cargo test` builds the examples, but
/// `cargo test --test demo` does not.
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        // …/target/debug/deps/demo-HASH
        let test = env::current_exe().unwrap();
        let profile = test.ancestors().nth(2).unwrap();
        let program = profile.join("examples/demo");
        // The tests in a browser are a package of their own, below.
        let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let root = above.find(|dir| dir.join("examples/demo").is_dir()).unwrap();
        let sources =
            ["src", "integrations", "examples/demo", "tests/servers/src"].map(|dir| newest(&root.join(dir)));
        let built = program.metadata().and_then(|meta| meta.modified()).ok();
        if built < sources.into_iter().max() {
            build(root, profile);
        }
        program
    })
}

fn build(root: &Path, profile: &Path) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--example", "demo", "--target-dir"]);
    cargo.arg(profile.parent().unwrap()).current_dir(root);
    // What cargo told this test of its package would make build scripts (ring's) run again.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&*name);
        }
    }
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success(), "the demo can't be built");
}

fn newest(path: &Path) -> SystemTime {
    if path.is_file() {
        return path.metadata().unwrap().modified().unwrap();
    }
    let files = path.read_dir().unwrap().map(|entry| newest(&entry.unwrap().path()));
    files.max().unwrap_or(SystemTime::UNIX_EPOCH)
}
