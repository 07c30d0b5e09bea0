//! Evidence against tampering: every row has a hash, and every batch of rows a seal.
//!
//! ```text
//! values  user, device, request, delta ─┐
//! salt    16 random bytes ──────────────┴─SHA-256─▶ value hash ─┐
//! header  namespace, ids, version, predecessor, kind, times … ──┴─SHA-256─▶ row hash ─┐ Merkle tree (RFC 6962)
//!                                                                                     ▼
//! seal    chain, place, rows, times, root, hash of the seal before ─SHA-256─▶ hash ─Ed25519─▶ signature
//! ```
//!
//! * A writer that is told to [`seal`](super::AuditWriter::seal) writes a batch's seal in the transaction
//!   that writes its rows: there is no moment in which one is there without the other.
//! * Each seal names the hash of the one before, so that none can be taken out of the middle. The end of a
//!   chain can be cut off unseen, unless its newest hash is kept elsewhere: give that to
//!   [`Verifier::anchor`]. The writer logs it at `info` when it stops, and each at `debug`, as
//!   `audit.seal`.
//! * [`erase`] takes one user's values and their salts out of the rows, which verify all the same.
//! * Without a key seals are hashes only: they tell of accidents and of edits by hand, and anybody who can
//!   write into the table can make new ones. With a key that only the writer has, nobody else can.
//! * [`Verifier`] needs no connection: it is given rows and seals, from the database or from a dump of it.

mod batch;
mod check;
mod erase;
mod hash;
mod key;
mod row;
mod sealer;
mod verifier;

pub(super) use {
    batch::Columns,
    check::check_with,
    hash::{Fields, Parts},
    sealer::{Chain, Sealer},
};
pub use {
    check::check,
    erase::{Erased, erase},
    key::{SealKey, SealPublicKey},
    row::{Seal, TrailRow},
    verifier::{Finding, Verification, Verifier},
};
