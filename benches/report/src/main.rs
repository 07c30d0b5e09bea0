//! One page of all that was measured: `cargo run -p report`, then open `target/measured/report.html`.
//!
//! It reads the JSON lines in `target/measured` (or in the folder that is given), and criterion's estimates in
//! `target/criterion`. Beside it go `readme.md` and `peers.svg`, for the README. What was not measured is left out and named.

#![forbid(unsafe_code)]

mod page;
mod raw;

use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).map_or_else(report::folder, PathBuf::from);
    let raw = raw::Raw::read(&folder)?;
    let file = folder.join("report.html");
    fs::write(&file, page::of(&raw))?;
    if let Some((table, plot)) = page::readme(&raw) {
        fs::write(folder.join("readme.md"), table)?;
        fs::write(folder.join("peers.svg"), plot)?;
    }
    println!("{}", fs::canonicalize(&file)?.display());
    Ok(())
}
