//! Everything that a run leaves behind, for the checker.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::{app::Fields, history::Event};

pub struct Evidence {
    pub events: Vec<Event>,
    /// The audit streams, as they are.
    pub trail: Vec<Entry>,
    /// The hashes in the keys of all sessions that are stored in the end.
    pub stored: Vec<String>,
    pub lifetimes: Vec<Lifetime>,
    /// Sessions whose deadline was moved into the past, by their refs, and when that was done.
    pub overdue: Vec<(String, u64)>,
}

/// A measured TTL, which must be above and at most so many milliseconds.
pub struct Lifetime {
    pub of: String,
    pub ttl: i64,
    pub above: i64,
    pub most: i64,
}

/// One line of an audit stream.
#[derive(Debug)]
pub struct Entry {
    pub version: u64,
    /// The event before; all zero for none.
    pub predecessor: String,
    pub payload: Payload,
}

#[derive(Debug, Deserialize)]
pub struct Payload {
    pub id: String,
    pub kind: String,
    #[serde(rename = "ref")]
    pub reference: String,
    #[serde(default)]
    pub related: Option<String>,
    #[serde(default)]
    pub set: Fields,
}

/// The hash in the key of the session with this ref, as `src/store/redis/keys.rs` makes it without a pepper.
pub fn key_hash(reference: &str) -> String {
    let bytes = URL_SAFE_NO_PAD.decode(reference).expect("a ref is base64url");
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}
