//! The columns that sealing adds to a batch of rows.

use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use super::hash::Hash;
use crate::audit::postgres::Row;

const SALT: usize = 16;

/// One entry a row, in the rows' order.
#[derive(Debug)]
pub(in crate::audit) struct Columns {
    pub(in crate::audit) seal: Uuid,
    /// Microseconds since the Unix epoch, by this writer's clock.
    pub(in crate::audit) at_us: i64,
    pub(in crate::audit) salts: Vec<[u8; SALT]>,
    pub(in crate::audit) value_hashes: Vec<Hash>,
    pub(in crate::audit) row_hashes: Vec<Hash>,
}

impl Columns {
    /// `None` where the operating system has no random bytes.
    pub(in crate::audit) fn new(rows: &[&Row]) -> Option<Self> {
        let at_us = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        let count = rows.len();
        let mut columns = Self {
            seal: Uuid::now_v7(),
            at_us: i64::try_from(at_us).unwrap_or(i64::MAX),
            salts: Vec::with_capacity(count),
            value_hashes: Vec::with_capacity(count),
            row_hashes: Vec::with_capacity(count),
        };
        // A system call for many salts, not for each.
        let mut random: Vec<[u8; SALT]> = Vec::new();
        for row in rows {
            if random.is_empty() {
                let mut bytes = [0; SALT * 64];
                getrandom::fill(&mut bytes).ok()?;
                random.extend_from_slice(bytes.as_chunks::<SALT>().0);
            }
            let salt = random.pop()?;
            let (value_hash, row_hash) = row.hashed(|parts| {
                let value_hash = parts.value_hash(&salt);
                (value_hash, parts.row_hash(columns.seal, columns.at_us, &value_hash))
            });
            columns.row_hashes.push(row_hash);
            columns.value_hashes.push(value_hash);
            columns.salts.push(salt);
        }
        Some(columns)
    }
}
