//! The user as whom PostgreSQL runs when we are root.

use std::{io, process::Command};

/// A user without rights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl User {
    /// PostgreSQL refuses to run as root. Its packages create a user for it; without one, `nobody`
    /// serves as well, because the folder is handed over anyway.
    pub(crate) fn without_rights() -> io::Result<Self> {
        ["postgres", "_postgres", "nobody"]
            .into_iter()
            .find_map(|name| {
                Some(Self {
                    uid: id("-u", name)?,
                    gid: id("-g", name)?,
                })
            })
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::NotFound,
                    "PostgreSQL does not run as root, and there is no user `postgres` or `nobody`",
                )
            })
    }
}

fn id(which: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([which, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
