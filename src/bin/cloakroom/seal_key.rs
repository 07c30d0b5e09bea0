//! `cloakroom seal-key`

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    process::ExitCode,
};

use cloakroom::audit::seal::SealKey;
use zeroize::Zeroizing;

use crate::{
    exit::{Failure, Result},
    keys, output,
};

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to write the secret key, for its owner alone to read; no file that exists is overwritten
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The name by which verifiers find its public half, such as the year
    #[arg(long, default_value = "1", conflicts_with = "public")]
    name: String,
    /// Makes none: shows the public half of the key in the file
    #[arg(long)]
    public: bool,
}

pub(crate) fn run(args: &Args) -> Result {
    let key = if args.public { keys::read_seal_key(&args.file)? } else { make(args)? };
    output::line(keys::spell_public_key(&key.public()))?;
    Ok(ExitCode::SUCCESS)
}

fn make(args: &Args) -> Result<SealKey> {
    if !keys::is_name(&args.name) {
        return Err(Failure::usage("a key's name has 1 to 64 of A-Z, a-z, 0-9, '-', '_' and '.'"));
    }
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut())
        .map_err(|error| Failure::other(format!("the operating system has no random bytes: {error}")))?;
    let text = Zeroizing::new(format!("{}:{}\n", args.name, keys::hex(secret.as_ref())));
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::usage(format!("{} exists, and is left alone", args.file.display()))
        }
        _ => Failure::usage(format!("{} can't be written: {error}", args.file.display())),
    };
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&args.file).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(SealKey::new(args.name.as_str(), *secret))
}
