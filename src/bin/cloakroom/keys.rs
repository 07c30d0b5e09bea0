//! Keys, from files and the environment: what stands among a command's arguments is told to all who may list
//! processes.

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use clap::Args;
use cloakroom::{
    audit::seal::{SealKey, SealPublicKey},
    store::redis::RedisStoreBuilder,
};
use zeroize::Zeroizing;

use crate::exit::{Failure, Result};

/// The pepper of the keys in Redis, for subcommands that look for sessions there.
#[derive(Args)]
pub(crate) struct Pepper {
    /// The pepper, where the application has one: the bytes of this file but for a line break at its end; or
    /// CLOAKROOM_PEPPER. Without the right one no session is found
    #[arg(long, value_name = "FILE", env = "CLOAKROOM_PEPPER_FILE")]
    pepper_file: Option<PathBuf>,
}

impl Pepper {
    pub(crate) fn give(&self, builder: RedisStoreBuilder) -> Result<RedisStoreBuilder> {
        let pepper = match &self.pepper_file {
            Some(file) => Some(read(file)?),
            None => std::env::var_os("CLOAKROOM_PEPPER").map(OsString::into_vec).map(Zeroizing::new),
        };
        Ok(match pepper {
            Some(pepper) => builder.pepper(pepper.to_vec()),
            None => builder,
        })
    }
}

/// A file without the line break at its end.
fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let failed = |error| Failure::usage(format!("{} can't be read: {error}", file.display()));
    let mut bytes = Zeroizing::new(fs::read(file).map_err(failed)?);
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    Ok(bytes)
}

/// A key that `cloakroom seal-key` wrote.
pub(crate) fn read_seal_key(file: &Path) -> Result<SealKey> {
    let text = read(file)?;
    // What is wrong with it is not told by showing it.
    let key = std::str::from_utf8(&text).ok().and_then(|text| {
        let (id, secret) = split(text)?;
        Some(SealKey::new(id, *Zeroizing::new(bytes(secret)?)))
    });
    key.ok_or_else(|| {
        Failure::usage(format!("{} holds no seal key: `cloakroom seal-key` makes one", file.display()))
    })
}

/// `NAME:HEX`, as `cloakroom seal-key` prints it.
pub(crate) fn parse_public_key(text: &str) -> Result<SealPublicKey, String> {
    let wrong = || "a public key is expected as `cloakroom seal-key` prints it: NAME:HEX".to_owned();
    let (id, key) = split(text).ok_or_else(wrong)?;
    SealPublicKey::new(id, bytes(key).ok_or_else(wrong)?).map_err(|error| error.to_string())
}

pub(crate) fn spell_public_key(key: &SealPublicKey) -> String {
    format!("{}:{}", key.id(), hex(&key.to_bytes()))
}

fn split(text: &str) -> Option<(&str, &str)> {
    text.split_once(':').filter(|(id, _)| is_name(id))
}

/// Whether this names a key: a word that needs no quotes anywhere.
pub(crate) fn is_name(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&id.len()) && id.bytes().all(allowed)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 64 hex digits.
pub(crate) fn bytes(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let pairs = hex.as_bytes().as_chunks::<2>();
    if pairs.0.len() != bytes.len() || !pairs.1.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs.0) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_as_it_is_written() {
        let key = std::array::from_fn(|n| n as u8 * 8);
        assert_eq!(bytes(&hex(&key)), Some(key));
        for wrong in [String::new(), "0".repeat(63), "0".repeat(65), "0".repeat(66), "g".repeat(64)] {
            assert_eq!(bytes(&wrong), None, "{wrong}");
        }
        assert!(is_name("2026-a") && !is_name("") && !is_name("a b") && !is_name("a:b"));
    }
}
