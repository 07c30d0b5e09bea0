//! What a store answers. None of these is an error.

use std::collections::BTreeMap;

use crate::{
    clock::Timestamp,
    id::{Address, EventId},
    record::{Ended, Field, FieldName, Image, Record, Version},
};

/// What [`load`](super::SessionStore::load) found.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Loaded {
    /// The session.
    Found(Box<Record>),
    /// It ended, and this is known of its end.
    Ended(Ended),
    /// It was renewed, and the token's grace is over: somebody uses a token that its owner has replaced.
    Replayed {
        /// Where the session went.
        successor: Address,
    },
    /// Nothing is known of it.
    Missing,
}

/// What [`create`](super::SessionStore::create) did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Created {
    /// The session exists, at version 1.
    Created {
        /// By the store's clock.
        at: Timestamp,
    },
    /// Something lives or has lived at this address. Take another token.
    Taken,
    /// Nothing is changed: the user has as many sessions as there may be.
    Rejected,
    /// Nothing is changed: all the user's sessions were revoked since this sign-in began.
    Revoked(Ended),
}

/// What [`commit`](super::SessionStore::commit) did.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Committed {
    /// The change is made.
    Committed {
        /// The version that it made.
        version: Version,
        /// By the store's clock.
        at: Timestamp,
        /// What the store gives for the next commit of the same request. Empty where it has none to give; `merged`
        /// has its own.
        image: Image,
        /// The session as it is now, where others changed it since it was loaded, or where this is the
        /// answer to a repeat.
        merged: Option<Box<Record>>,
    },
    /// Nothing is changed: somebody else changed what this request had read and wanted to write.
    Conflict {
        /// The keys in question; empty where the whole session is (strict policy, or a fork).
        keys: Vec<FieldName>,
        /// The session as it is now, so that a second try needs no load.
        current: Box<Record>,
    },
    /// Nothing is changed: there is no such session any more.
    Gone(Ended),
    /// Nothing is changed: the session was renewed and lives at this address now.
    Moved(Address),
    /// Nothing is changed: so much was committed since the load that the store can't place the base any
    /// more.
    Behind {
        /// The session as it is now.
        current: Box<Record>,
        /// Whether the store remembers every event of the last [ten seconds](crate::record::History::SPAN),
        /// and this one is not among them. Otherwise it may have happened under this very event before.
        never: bool,
    },
    /// Nothing is changed: something lives where a renewal was to go. Take another token.
    Taken,
}

/// What [`end`](super::SessionStore::end) did.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Finished {
    /// This call ended the session.
    Ended {
        /// By the store's clock.
        at: Timestamp,
        /// The event that ended it: what comes after names this one as its predecessor.
        event: EventId,
        /// Its last fields, where they were asked for.
        fields: BTreeMap<FieldName, Field>,
    },
    /// It was over already.
    Gone(Ended),
    /// It was renewed and lives at this address now.
    Moved(Address),
}
