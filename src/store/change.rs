//! What a store is asked to change.

use std::{sync::Arc, time::Duration};

use super::{Listing, Touch};
use crate::{
    audit::RequestContext,
    clock::Timestamp,
    error::{Error, ErrorKind},
    id::{Address, EventId, SessionRef},
    record::{Authentication, Base, Delta, EndReason, Fields, Image, Record, Version, merge},
};

/// How many keys one change may name: what a script can pass on at once, with room to spare. The limits of
/// the session handle are far below.
pub const MAX_CHANGES: usize = 3_500;

/// Refuses a change that a script would fail on half-way.
pub(super) fn check_count(delta: &Delta) -> Result<(), Error> {
    let count = delta.changes.len();
    if count <= MAX_CHANGES {
        return Ok(());
    }
    let text = format!("a change of {count} keys, and {MAX_CHANGES} are allowed at a time");
    Err(Error::msg(ErrorKind::Limit, text))
}

/// What happens when two requests change one session at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Changes of different keys both happen. A key that this request read and wrote, and that
    /// another changed meanwhile, is a conflict.
    #[default]
    Merge,
    /// Any commit made meanwhile is a conflict: the plain version field.
    Strict,
    /// The later commit wins, key by key; nothing is a conflict. Updates can be lost.
    LastWriteWins,
}

/// Who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// The application's id of the user.
    pub user: String,
    /// How the user proved to be that: the application's own word, such as `password`.
    pub method: Option<String>,
    /// How the session appears in the user's list. `None` for a sign-in anew, whose session is listed already,
    /// and for a session that nobody shall be able to list, count or revoke.
    pub listing: Option<Listing>,
}

/// A session that shall begin.
#[derive(Clone, Debug)]
pub struct Create {
    /// Where; the hash of a fresh token.
    pub at: Address,
    /// The name of this change.
    pub event: EventId,
    /// How long it lives without a request.
    pub idle: Duration,
    /// How long it lives at most.
    pub absolute: Duration,
    /// Who signs in by it.
    pub sign_in: Option<SignIn>,
    /// What the application calls the client's device.
    pub device: Option<String>,
    /// Its first values.
    pub delta: Delta,
    /// The session that it follows, and that one's last event.
    pub predecessor: Option<(SessionRef, EventId)>,
    /// The request, for the trail.
    pub context: Arc<RequestContext>,
}

impl Create {
    /// Where it appears in its user's list.
    pub(crate) fn listing(&self) -> Option<&Listing> {
        self.sign_in.as_ref()?.listing.as_ref()
    }

    /// The session that it makes at this moment of the store's clock.
    pub(crate) fn record(&self, at: Timestamp) -> Record {
        let version = Version::new(1);
        let mut fields = Fields::default();
        merge::apply(&mut fields, &self.delta, version);
        let sign_in = self.sign_in.as_ref();
        Record {
            address: self.at,
            superseded: false,
            base: Base { version, head: self.event },
            created_at: at,
            deadline: at.plus(self.absolute),
            loaded_at: at,
            expires_in: self.idle.min(self.absolute),
            user: sign_in.map(|sign_in| sign_in.user.clone()),
            authentication: sign_in.map(|sign_in| Authentication { at, method: sign_in.method.clone() }),
            device: self.device.clone(),
            handle: self.listing().map(|listing| listing.handle),
            fields,
            image: Image::default(),
        }
    }
}

/// A change of a session.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Where.
    pub at: Address,
    /// The name of this change.
    pub event: EventId,
    /// What the request knew.
    pub base: Base,
    /// And what the store had given it with that.
    pub image: Image,
    /// What it changed.
    pub delta: Delta,
    /// What wins.
    pub policy: Policy,
    /// The idle timeout.
    pub idle: Duration,
    /// Whether it starts again. With a sign-in [anew](Renewal::anew) it does in any case.
    pub touch: Touch,
    /// Whether the session moves to a new token at the same time.
    pub renewal: Option<Renewal>,
    /// Who is signed in, for the trail.
    pub user: Option<String>,
    /// The request, for the trail.
    pub context: Arc<RequestContext>,
}

impl Commit {
    /// Whether the idle timeout starts again.
    pub(crate) fn is_activity(&self) -> bool {
        self.touch == Touch::Refresh || self.renewal.as_ref().is_some_and(|renewal| renewal.anew.is_some())
    }
}

/// A session's move to a new token.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// The hash of the new token, on the same shard.
    pub to: Address,
    /// How long the old token leads to the new session at most, in case nobody ever uses the new one.
    pub grace: Duration,
    /// How long it is remembered that the old token was renewed, so that its reuse is noticed.
    pub remember: Duration,
    /// Set where the user proved again who they are. The old token is dead at once then, and both
    /// timeouts start again.
    pub anew: Option<Anew>,
}

/// A sign-in of the user who is signed in already: a second factor, a step-up, a changed role.
#[derive(Clone, Debug)]
pub struct Anew {
    /// Who, and how.
    pub sign_in: SignIn,
    /// How long the session lives at most from now on.
    pub absolute: Duration,
}

/// The end of a session.
#[derive(Clone, Debug)]
pub struct End {
    /// Where.
    pub at: Address,
    /// The name of this change.
    pub event: EventId,
    /// Why.
    pub reason: EndReason,
    /// Whether the answer must hold the last fields, which a sign-in carries over.
    pub keep_fields: bool,
    /// How long it is remembered why the session ended.
    pub remember: Duration,
    /// Who was signed in, for the trail.
    pub user: Option<String>,
    /// The request, for the trail.
    pub context: Arc<RequestContext>,
}

impl End {
    /// The end that a session has come to by itself.
    pub(crate) fn overdue(record: &Record, reason: EndReason) -> Self {
        Self {
            at: record.address,
            event: EventId::new(),
            reason,
            keep_fields: false,
            remember: REMEMBER,
            user: record.user.clone(),
            context: Arc::default(),
        }
    }
}

/// How long the old token of a renewal still leads to the session once the new one was used.
pub(crate) const GRACE_AFTER_USE: Duration = Duration::from_secs(10);

/// How long it is remembered why a session ended, unless the configuration says otherwise.
pub(crate) const REMEMBER: Duration = Duration::from_secs(24 * 60 * 60);
