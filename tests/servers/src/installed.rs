//! Where the programs are on this machine.

use std::io;
use std::path::{Path, PathBuf};

/// `redis-server`, from the `PATH` or from Homebrew.
#[must_use]
pub fn redis_server() -> Option<PathBuf> {
    let brew = ["/opt/homebrew/bin", "/usr/local/bin"].map(PathBuf::from);
    path().into_iter().chain(brew).map(|dir| dir.join("redis-server")).find(|file| file.is_file())
}

/// The folder with `initdb`, `postgres` and `psql`: from the `PATH`, else the newest of Debian's, else Homebrew's.
#[must_use]
pub fn postgres() -> Option<PathBuf> {
    // A link on the PATH leads to the real folder, which has all three; the PATH's own may have only some.
    let linked = path()
        .into_iter()
        .filter_map(|dir| Some(dir.join("initdb").canonicalize().ok()?.parent()?.to_owned()));
    let debian = newest_first("/usr/lib/postgresql", "");
    let brew =
        ["/opt/homebrew/opt", "/usr/local/opt"].into_iter().flat_map(|opt| newest_first(opt, "postgresql@"));
    let complete =
        |dir: &PathBuf| ["initdb", "postgres", "psql"].iter().all(|program| dir.join(program).is_file());
    linked.chain(debian).chain(brew).find(complete)
}

/// Chromium, or Chrome: from the `PATH`, or a Mac's application.
#[must_use]
pub fn chromium() -> Option<PathBuf> {
    let names = ["chromium", "google-chrome-stable", "google-chrome", "chromium-browser"];
    let found = path().into_iter().flat_map(|dir| names.map(|name| dir.join(name)));
    let mac = ["Chromium", "Google Chrome"]
        .map(|name| PathBuf::from(format!("/Applications/{name}.app/Contents/MacOS/{name}")));
    found.chain(mac).find(|file| file.is_file())
}

pub(crate) fn require_redis_server() -> io::Result<PathBuf> {
    redis_server().ok_or_else(|| missing("redis-server"))
}

pub(crate) fn require_postgres() -> io::Result<PathBuf> {
    postgres().ok_or_else(|| missing("PostgreSQL (initdb, postgres, psql)"))
}

pub(crate) fn require_chromium() -> io::Result<PathBuf> {
    chromium().ok_or_else(|| missing("Chromium"))
}

fn missing(what: &str) -> io::Error {
    let how = "apt-get install redis-server postgresql chromium, or: brew install redis postgresql@17, and \
               brew install --cask google-chrome";
    io::Error::new(io::ErrorKind::NotFound, format!("{what} is not installed: {how}"))
}

fn path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// The `bin` folders of the versions installed side by side in `parent`, as `PREFIX17/bin`.
fn newest_first(parent: impl AsRef<Path>, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = parent.as_ref().read_dir() else {
        return Vec::new();
    };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, bin)| bin).collect()
}
