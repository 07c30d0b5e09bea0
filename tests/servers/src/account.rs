//! The account that PostgreSQL runs under when we are root, as it refuses to run as root.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

/// A user and its main group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// `postgres` if we are root, otherwise nobody else than ourselves.
pub(crate) fn unprivileged() -> io::Result<Option<Account>> {
    if !we_are_root()? {
        return Ok(None);
    }
    Ok(Some(Account { uid: id("-u")?, gid: id("-g")? }))
}

/// std cannot tell who we are, but a file we have just made can.
fn we_are_root() -> io::Result<bool> {
    Ok(tempfile::tempfile()?.metadata()?.uid() == 0)
}

fn id(which: &str) -> io::Result<u32> {
    let output = Command::new("id").args([which, "postgres"]).output()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().map_err(|_| {
        io::Error::new(
            io::ErrorKind::NotFound,
            "PostgreSQL does not run as root, and there is no account `postgres` to run it: useradd --system postgres",
        )
    })
}
