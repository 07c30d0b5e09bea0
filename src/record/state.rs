//! A loaded session, and how one ends.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Fields, Image};
use crate::{
    clock::Timestamp,
    id::{Address, EventId, SessionHandle},
};

/// Counts a session's commits: 1 at creation, then 2, 3 … without a gap.
///
/// Never above 2^53 − 1, so that Lua's doubles hold it exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(u64);

impl Version {
    /// The largest whole number that a double holds together with its successor.
    pub const MAX: u64 = (1 << 53) - 1;

    /// From a number.
    pub const fn new(version: u64) -> Self {
        Self(version)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The next one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The state that a request started from: a commit names it, and so proves what it knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// The version that was loaded.
    pub version: Version,
    /// The event that made that version. After a failover two histories may share a version number,
    /// never an event.
    pub head: EventId,
}

/// When and how a user signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    /// By the store's clock.
    pub at: Timestamp,
    /// Free text of the application, such as `password` or `passkey`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

/// A session as a store answered it.
#[derive(Clone, PartialEq)]
pub struct Record {
    /// Where it lives now: for a renewed session that was asked for by its old token, the successor.
    pub address: Address,
    /// Whether it was reached by the old token of a renewal, which can neither renew nor sign in.
    pub superseded: bool,
    /// What a commit must name.
    pub base: Base,
    /// By the store's clock.
    pub created_at: Timestamp,
    /// Nothing answers past this moment, whatever the activity.
    pub deadline: Timestamp,
    /// The store's clock when it answered.
    pub loaded_at: Timestamp,
    /// How long it would live from then on without a further request.
    pub expires_in: Duration,
    /// Who is signed in.
    pub user: Option<String>,
    /// Since when, and how.
    pub authentication: Option<Authentication>,
    /// What the application calls the client's device.
    pub device: Option<String>,
    /// Its name among its user's sessions, where somebody is signed in.
    pub handle: Option<SessionHandle>,
    /// The application's keys.
    pub fields: Fields,
    /// What a commit gives back to the store.
    pub image: Image,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither values nor the user: this ends in logs.
        f.debug_struct("Record")
            .field("ref", &self.address.reference)
            .field("version", &self.base.version)
            .field("keys", &self.fields.len())
            .finish_non_exhaustive()
    }
}

/// Why a session is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndReason {
    /// `logout()` was called.
    LoggedOut,
    /// `destroy()` was called.
    Destroyed,
    /// No request used it for longer than its idle timeout.
    Idle,
    /// It reached its absolute lifetime.
    Absolute,
    /// A sign-in replaced it by a session of its own.
    Replaced,
    /// Its user has as many sessions as there may be, and a sign-in needed its place.
    Evicted,
    /// Its user ended it from a session: this one or another.
    RevokedByUser,
    /// An administrator ended it.
    RevokedByAdmin,
    /// Its token was renewed and used again after the grace: somebody else may hold it.
    Replayed,
    /// Its namespace's epoch was raised: everything older is void.
    Epoch,
    /// Nothing is left that says why. What happened to it is in the trail, if there is one.
    Unknown,
}

impl EndReason {
    /// The word that stores and the trail hold.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged_out",
            Self::Destroyed => "destroyed",
            Self::Idle => "idle",
            Self::Absolute => "absolute",
            Self::Replaced => "replaced",
            Self::Evicted => "evicted",
            Self::RevokedByUser => "revoked_by_user",
            Self::RevokedByAdmin => "revoked_by_admin",
            Self::Replayed => "replayed",
            Self::Epoch => "epoch",
            Self::Unknown => "unknown",
        }
    }

    /// Reads that word. A word of a newer release is `Unknown`.
    pub fn parse(word: &str) -> Self {
        const ALL: [EndReason; 10] = [
            EndReason::LoggedOut,
            EndReason::Destroyed,
            EndReason::Idle,
            EndReason::Absolute,
            EndReason::Replaced,
            EndReason::Evicted,
            EndReason::RevokedByUser,
            EndReason::RevokedByAdmin,
            EndReason::Replayed,
            EndReason::Epoch,
        ];
        ALL.into_iter().find(|reason| reason.as_str() == word).unwrap_or(Self::Unknown)
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What became of a session that is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Why.
    pub reason: EndReason,
    /// When, where that is known.
    pub at: Option<Timestamp>,
    /// From which device, where that is known: for [`Evicted`](EndReason::Evicted) the one that signed in
    /// instead, for [`RevokedByUser`](EndReason::RevokedByUser) the one that asked for it, otherwise the
    /// session's own.
    pub device: Option<String>,
}

impl Ended {
    /// For a session of which nothing is left.
    pub const UNKNOWN: Self = Self { reason: EndReason::Unknown, at: None, device: None };
}
