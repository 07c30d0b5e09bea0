//! A server's folder.

use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::account::Account;

/// Unix sockets have room for about a hundred bytes of path; the names below the folder need some of them.
const LONGEST: usize = 60;

/// Makes a folder that belongs to the account, or to us.
pub(crate) fn make(name: &str, account: Option<Account>) -> io::Result<TempDir> {
    let folder =
        tempfile::Builder::new().prefix(&format!("cloakroom-{name}-")).tempdir_in(parent(account))?;
    if let Some(account) = account {
        chown(folder.path(), Some(account.uid), Some(account.gid))?;
    }
    Ok(folder)
}

fn parent(account: Option<Account>) -> PathBuf {
    let usual = std::env::temp_dir();
    let short = usual.as_os_str().len() <= LONGEST;
    if short && (account.is_none() || open_to_all(&usual)) { usual } else { PathBuf::from("/tmp") }
}

/// Whether another account can get there, and later remove its folder from there.
fn open_to_all(dir: &Path) -> bool {
    let allows =
        |path: &Path, bits: u32| path.metadata().is_ok_and(|meta| meta.permissions().mode() & bits == bits);
    allows(dir, 0o003) && dir.ancestors().all(|parent| allows(parent, 0o001))
}

/// Everything the server has written to its output.
pub(crate) fn log(dir: &Path) -> String {
    std::fs::read(dir.join("log"))
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// The error of a server that did not start, with the end of its log. A lost race for the port is
/// [`AddrInUse`](io::ErrorKind::AddrInUse), as then another port will do.
pub(crate) fn start_error(server: &str, dir: &Path) -> io::Error {
    let log = log(dir);
    let lines: Vec<&str> = log.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n");
    let kind = if tail.contains("already in use") { io::ErrorKind::AddrInUse } else { io::ErrorKind::Other };
    io::Error::new(kind, format!("{server} did not start. Its log ends:\n{tail}"))
}
