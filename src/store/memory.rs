//! The embedded store.

mod commit;
mod epoch;
mod index;
mod log;
mod sweep;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use self::index::Users;
use super::{
    Commit, Committed, Confirm, Confirmed, Create, Created, End, Finished, GRACE_AFTER_USE, Loaded, REMEMBER,
    Raise, Reserved, Revocation, Revoked, SessionStore, Touch,
};
use crate::{
    audit::{Entry, Payload},
    clock::{Clock, SystemClock, Timestamp},
    error::Error,
    events::{EventPosition, SessionEvents, Watch},
    id::{Address, EventId, SessionRef, Shard, ShardCount},
    record::{Base, EndReason, Ended, Field, FieldName, History, Record, SessionInfo, Version},
};

/// Sessions in this process: for development and tests, with nothing to install.
///
/// It keeps the whole contract of [`SessionStore`] and passes the same suite as the Redis store, but
/// it is not for production: the sessions are gone with the process, a second instance does not see
/// them, and all requests share one lock. Cloning it gives another handle to the same sessions.
///
/// ```
/// use cloakroom::store::MemoryStore;
///
/// let store = MemoryStore::new();
/// assert!(store.is_empty());
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
    audit: bool,
}

#[derive(Default)]
struct State {
    sessions: HashMap<SessionRef, Live>,
    /// What became of those that are no more. An entry is forgotten at its own deadline.
    aftermath: HashMap<SessionRef, (Timestamp, Aftermath)>,
    epochs: HashMap<Shard, u64>,
    users: Users,
    trail: Vec<Entry>,
    log: log::Log,
    last_entry: (u64, u64),
    creations: u64,
}

struct Live {
    record: Record,
    history: History,
    epoch: u64,
    expires_at: Timestamp,
    /// What its last use added to the clock.
    idle: Duration,
    /// From where its user signed in, as the list tells it.
    from: Option<String>,
    /// The hash of the old token, and when its grace ends at the latest.
    predecessor: Option<SessionRef>,
}

impl Live {
    /// The session as it is at this moment.
    fn at(&self, now: Timestamp) -> Box<Record> {
        let mut record = self.record.clone();
        record.loaded_at = now;
        record.expires_in = self.expires_at.min(record.deadline).since(now);
        Box::new(record)
    }

    /// The version that a commit made here, if it did.
    fn version_of(&self, event: EventId) -> Option<Version> {
        self.history.version_of(self.record.base.version, event)
    }
}

#[derive(Clone)]
enum Aftermath {
    Ended {
        ended: Ended,
        by: EventId,
        fields: BTreeMap<FieldName, Field>,
    },
    /// The old token leads there until then.
    Moved {
        to: Address,
        until: Timestamp,
    },
}

/// How often creations sweep, so that a process where nobody else does keeps no session for ever.
const SWEEP_EVERY: u64 = 256;

impl MemoryStore {
    /// An empty store by the operating system's clock.
    pub fn new() -> Self {
        Self::with_clock(SystemClock)
    }

    /// An empty store by another clock: for tests of timeouts.
    pub fn with_clock(clock: impl Clock) -> Self {
        Self { state: Arc::default(), clock: Arc::new(clock), audit: false }
    }

    /// Keeps a trail, in memory and without bound. Default: none.
    #[must_use]
    pub fn with_audit(mut self) -> Self {
        self.audit = true;
        self
    }

    /// The trail so far, oldest first.
    pub fn trail(&self) -> Vec<Entry> {
        self.lock().trail.clone()
    }

    /// How many sessions are held, those included whose time has run out unnoticed.
    pub fn len(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Whether no session is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of others runs under the lock, so a poisoned one still holds whole sessions.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("sessions", &self.len()).finish_non_exhaustive()
    }
}

impl SessionStore for MemoryStore {
    fn shards(&self) -> ShardCount {
        ShardCount::default()
    }

    fn audits(&self) -> bool {
        self.audit
    }

    async fn load(&self, at: Address, touch: Touch, idle: Duration) -> Result<Loaded, Error> {
        let now = self.clock.now();
        Ok(self.lock().load(at, touch, idle, now, self.audit, true))
    }

    async fn create(&self, create: &Create) -> Result<Created, Error> {
        super::check_count(&create.delta)?;
        let now = self.clock.now();
        Ok(self.lock().create(create, now, self.audit))
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, Error> {
        super::check_count(&commit.delta)?;
        let now = self.clock.now();
        Ok(self.lock().commit(commit, now, self.audit))
    }

    async fn end(&self, end: &End) -> Result<Finished, Error> {
        let now = self.clock.now();
        Ok(self.lock().end(end, now, self.audit))
    }

    async fn reserve(&self, create: &Create) -> Result<Reserved, Error> {
        let now = self.clock.now();
        Ok(self.lock().reserve(create, now))
    }

    async fn sessions_of(&self, user: &str) -> Result<Vec<SessionInfo>, Error> {
        let now = self.clock.now();
        Ok(self.lock().sessions_of(user, now))
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<Revoked, Error> {
        let now = self.clock.now();
        Ok(self.lock().revoke(revocation, now, self.audit))
    }

    async fn raise_epoch(&self, raise: &Raise) -> Result<u64, Error> {
        let now = self.clock.now();
        Ok(self.lock().raise_epoch(raise, self.shards(), now, self.audit))
    }

    async fn sweep(&self, remember: Duration) -> Result<usize, Error> {
        let now = self.clock.now();
        Ok(self.lock().sweep(remember, now, self.audit))
    }

    async fn confirm(&self, _: &Confirm) -> Result<Confirmed, Error> {
        Ok(Confirmed::Replicated)
    }

    async fn subscribe(&self, watch: &Watch) -> Result<SessionEvents, Error> {
        Ok(self.lock().log.subscribe(watch, self.shards()))
    }

    async fn ready(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl State {
    /// `direct` unless the old token of a renewal led here.
    fn load(
        &mut self,
        at: Address,
        touch: Touch,
        idle: Duration,
        now: Timestamp,
        audit: bool,
        direct: bool,
    ) -> Loaded {
        if let Some(end) = self.overdue(at, now) {
            let (reason, ended) = (end.reason, self.end(&end, now, audit));
            return match ended {
                Finished::Ended { at, .. } => Loaded::Ended(Ended { reason, at: Some(at), device: None }),
                Finished::Gone(ended) => Loaded::Ended(ended),
                Finished::Moved(_) => Loaded::Missing,
            };
        }
        let Some(live) = self.alive(&at.reference, now) else {
            return match self.what_became(&at.reference, now) {
                Some(Aftermath::Ended { ended, .. }) => Loaded::Ended(ended),
                Some(Aftermath::Moved { to, until }) if now >= until => Loaded::Replayed { successor: to },
                Some(Aftermath::Moved { to, .. }) => match self.load(to, touch, idle, now, audit, false) {
                    Loaded::Found(mut record) => {
                        record.superseded = true;
                        Loaded::Found(record)
                    }
                    other => other,
                },
                None => Loaded::Missing,
            };
        };
        if touch == Touch::Refresh {
            live.expires_at = now.plus(idle);
            live.idle = idle;
        }
        let record = live.at(now);
        if direct && let Some(predecessor) = live.predecessor.take() {
            // The new token is in use, so the old one has only the requests under way to serve.
            if let Some((_, Aftermath::Moved { until, .. })) = self.aftermath.get_mut(&predecessor) {
                *until = now.plus(GRACE_AFTER_USE).min(*until);
            }
        }
        Loaded::Found(record)
    }

    fn create(&mut self, create: &Create, now: Timestamp, audit: bool) -> Created {
        let reference = create.at.reference;
        if let Some(live) = self.sessions.get(&reference) {
            let first = Version::new(1);
            return match live.version_of(create.event) {
                Some(version) if version == first => Created::Created { at: live.record.created_at },
                _ => Created::Taken,
            };
        }
        if self.what_became(&reference, now).is_some() {
            return Created::Taken;
        }
        if let Err(answer) = self.admit(create, now, audit) {
            return answer;
        }
        self.creations += 1;
        if self.creations.is_multiple_of(SWEEP_EVERY) {
            self.aftermath.retain(|_, (until, _)| *until > now);
            self.sweep(REMEMBER, now, audit);
        }
        let version = Version::new(1);
        let previous = create.predecessor.map_or(EventId::NONE, |(_, event)| event);
        self.append(audit, create.at.shard, now, version, previous, &Payload::from(create));
        let mut history = History::default();
        history.push(create.event, now);
        let live = Live {
            record: create.record(now),
            history,
            epoch: self.epochs.get(&create.at.shard).copied().unwrap_or(0),
            expires_at: now.plus(create.idle),
            idle: create.idle,
            from: create.listing().and_then(|listing| listing.address.clone()),
            predecessor: None,
        };
        self.sessions.insert(reference, live);
        Created::Created { at: now }
    }

    fn end(&mut self, end: &End, now: Timestamp, audit: bool) -> Finished {
        let reference = end.at.reference;
        if self.alive(&reference, now).is_none() {
            return match self.what_became(&reference, now) {
                Some(Aftermath::Ended { by, fields, ended }) if by == end.event => {
                    Finished::Ended { at: ended.at.unwrap_or(now), event: by, fields }
                }
                Some(Aftermath::Ended { ended, .. }) => Finished::Gone(ended),
                Some(Aftermath::Moved { to, .. }) => Finished::Moved(to),
                None => Finished::Gone(Ended::UNKNOWN),
            };
        }
        if end.keep_fields
            && let Some(overdue) = self.overdue(end.at, now)
        {
            // Its time was up: there is nothing that a sign-in could carry over.
            return Finished::Gone(Ended { reason: overdue.reason, at: None, device: None });
        }
        let Some(live) = self.sessions.remove(&reference) else {
            return Finished::Gone(Ended::UNKNOWN);
        };
        let Base { version, head } = live.record.base;
        self.append(audit, end.at.shard, now, version.next(), head, &Payload::from(end));
        let fields = if end.keep_fields { live.record.fields.to_map() } else { BTreeMap::new() };
        let ended = Ended { reason: end.reason, at: Some(now), device: live.record.device };
        let aftermath = Aftermath::Ended { ended, by: end.event, fields: fields.clone() };
        self.aftermath.insert(reference, (now.plus(end.remember), aftermath));
        Finished::Ended { at: now, event: end.event, fields }
    }

    /// The end that a session has come to by itself: past its deadline, or below the epoch.
    fn overdue(&self, at: Address, now: Timestamp) -> Option<End> {
        let live = self.sessions.get(&at.reference).filter(|live| live.expires_at > now)?;
        let epoch = self.epochs.get(&at.shard).copied().unwrap_or(0);
        let reason = if live.epoch < epoch {
            EndReason::Epoch
        } else if now >= live.record.deadline {
            EndReason::Absolute
        } else {
            return None;
        };
        Some(End::overdue(&live.record, reason))
    }

    fn alive(&mut self, reference: &SessionRef, now: Timestamp) -> Option<&mut Live> {
        // One that ran out is kept for the sweep, which tells of its end.
        self.sessions.get_mut(reference).filter(|live| live.expires_at > now)
    }

    fn what_became(&self, reference: &SessionRef, now: Timestamp) -> Option<Aftermath> {
        let (until, aftermath) = self.aftermath.get(reference)?;
        (*until > now).then(|| aftermath.clone())
    }

    fn append(
        &mut self,
        audit: bool,
        shard: Shard,
        now: Timestamp,
        version: Version,
        predecessor: EventId,
        payload: &Payload<'_>,
    ) {
        let (millis, sequence) = self.last_entry;
        self.last_entry =
            if now.as_millis() > millis { (now.as_millis(), 0) } else { (millis, sequence + 1) };
        let (millis, sequence) = self.last_entry;
        self.log.tell(EventPosition::new(shard, millis, sequence), version, payload);
        if !audit {
            return;
        }
        self.trail.push(Entry {
            shard,
            stream_id: format!("{millis}-{sequence}"),
            occurred_at: Timestamp::from_millis(millis),
            version,
            predecessor,
            payload: payload.to_json().into_bytes(),
        });
    }
}
