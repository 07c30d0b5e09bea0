//! A session as its user's list shows it.

use serde::Serialize;

use super::Authentication;
use crate::{clock::Timestamp, id::SessionHandle};

/// One line of a user's list of sessions: what may be shown, and nothing that opens or names a session to
/// anybody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SessionInfo {
    /// By which it is ended.
    pub handle: SessionHandle,
    /// When it began.
    pub created_at: Timestamp,
    /// When a request used it last: worked out of the time that is left of its idle timeout.
    pub last_seen: Timestamp,
    /// When and how the user signed in.
    pub authentication: Authentication,
    /// What the application called the device at the sign-in.
    pub device: Option<String>,
    /// From where the user signed in, in as much detail as
    /// [`with_listed_address`](crate::manager::SessionConfig::with_listed_address) allows.
    pub address: Option<String>,
    /// Whether it is the one that asks.
    pub current: bool,
}
