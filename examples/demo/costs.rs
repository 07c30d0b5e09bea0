//! What a request asked of the store: a [`SessionStore`] around another one that counts.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use cloakroom::{
    audit::RequestContext,
    error::Error,
    events::{SessionEvents, Watch},
    id::{Address, ShardCount},
    record::SessionInfo,
    store::{
        Commit, Committed, Confirm, Confirmed, Create, Created, End, Finished, Loaded, Raise, Reserved,
        Revocation, Revoked, SessionStore, Touch,
    },
};

use crate::timings::{Timings, What};

/// What Redis was asked and did answer, as the documentation of `cloakroom::store::redis` tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) round_trips: u32,
    pub(crate) commands: u32,
}

impl Cost {
    /// `HVALS`, `PEXPIRE`, `PEXPIRETIME`, `GET` in one pipeline.
    const LOAD: Self = Self { round_trips: 1, commands: 4 };
    /// And `HGETALL` of what became of the session, `TIME` in one pipeline.
    const LOAD_IN_VAIN: Self = Self { round_trips: 2, commands: 6 };
    /// `EVALSHA`.
    const CHANGE: Self = Self { round_trips: 1, commands: 1 };
    /// `HGETALL` of the user's index, and the script.
    const REVOKE: Self = Self { round_trips: 2, commands: 2 };

    /// `HGETALL` of the user's index; `PTTL` of each session, `GET`, `HGET`, `TIME` in one pipeline.
    fn list(sessions: usize) -> Self {
        Self { round_trips: 2, commands: 4 + u32::try_from(sessions).unwrap_or(u32::MAX - 4) }
    }
}

/// The requests under way, by their trace id.
///
/// A sign-in is carried out by a task of its own, so that a client who hangs up can't stop it half-way.
/// There a task-local is not to be seen; but every change tells the trace id of its request.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<HashMap<String, Cost>>>);

tokio::task_local! {
    /// The trace id of the request that this task serves: a load has nothing else to tell it by.
    static TRACE: String;
}

impl Ledger {
    /// Serves a request and says what it cost.
    pub(crate) async fn measure<T>(&self, trace: String, request: impl Future<Output = T>) -> (T, Cost) {
        self.open().insert(trace.clone(), Cost::default());
        let _row = Row { ledger: self, trace: trace.clone() };
        let answer = TRACE.scope(trace.clone(), request).await;
        (answer, self.of(&trace))
    }

    /// What the present request has cost up to now.
    pub(crate) fn so_far(&self) -> Cost {
        TRACE.try_with(|trace| self.of(trace)).unwrap_or_default()
    }

    fn of(&self, trace: &str) -> Cost {
        self.open().get(trace).copied().unwrap_or_default()
    }

    fn add(&self, trace: &str, cost: Cost) {
        if let Some(row) = self.open().get_mut(trace) {
            row.round_trips += cost.round_trips;
            row.commands += cost.commands;
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Cost>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Crosses a request out, also when it is dropped because the client hung up.
struct Row<'a> {
    ledger: &'a Ledger,
    trace: String,
}

impl Drop for Row<'_> {
    fn drop(&mut self) {
        self.ledger.open().remove(&self.trace);
    }
}

/// A store that counts.
#[derive(Clone)]
pub(crate) struct Counting<S> {
    store: S,
    ledger: Ledger,
    timings: Timings,
}

impl<S> Counting<S> {
    pub(crate) fn new(store: S, ledger: Ledger, timings: Timings) -> Self {
        Self { store, ledger, timings }
    }

    fn changed<T>(&self, context: &RequestContext, answer: Result<T, Error>) -> Result<T, Error> {
        if let (Some(trace), Ok(_)) = (&context.trace_id, &answer) {
            self.ledger.add(trace, Cost::CHANGE);
        }
        answer
    }
}

impl<S: SessionStore> SessionStore for Counting<S> {
    fn shards(&self) -> ShardCount {
        self.store.shards()
    }

    /// Yes, also without a trail: the changes then come with the trace id.
    fn audits(&self) -> bool {
        true
    }

    async fn load(&self, at: Address, touch: Touch, idle: Duration) -> Result<Loaded, Error> {
        let begin = Instant::now();
        let answer = self.store.load(at, touch, idle).await;
        if matches!(answer, Ok(Loaded::Found(_))) {
            self.timings.note(What::Load, begin.elapsed());
        }
        let cost = match &answer {
            Ok(Loaded::Found(_)) => Cost::LOAD,
            Ok(Loaded::Missing | Loaded::Ended(_) | Loaded::Replayed { .. }) => Cost::LOAD_IN_VAIN,
            Err(_) => Cost::default(),
        };
        // No error: a load outside of any request is nobody's cost.
        let _ = TRACE.try_with(|trace| self.ledger.add(trace, cost));
        answer
    }

    async fn create(&self, create: &Create) -> Result<Created, Error> {
        self.changed(&create.context, self.store.create(create).await)
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, Error> {
        let begin = Instant::now();
        let answer = self.store.commit(commit).await;
        if answer.is_ok() {
            self.timings.note(What::Commit, begin.elapsed());
        }
        self.changed(&commit.context, answer)
    }

    async fn end(&self, end: &End) -> Result<Finished, Error> {
        self.changed(&end.context, self.store.end(end).await)
    }

    async fn reserve(&self, create: &Create) -> Result<Reserved, Error> {
        self.changed(&create.context, self.store.reserve(create).await)
    }

    async fn sessions_of(&self, user: &str) -> Result<Vec<SessionInfo>, Error> {
        let answer = self.store.sessions_of(user).await;
        if let Ok(sessions) = &answer {
            let _ = TRACE.try_with(|trace| self.ledger.add(trace, Cost::list(sessions.len())));
        }
        answer
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<Revoked, Error> {
        let answer = self.store.revoke(revocation).await;
        if let (Some(trace), Ok(_)) = (&revocation.context.trace_id, &answer) {
            self.ledger.add(trace, Cost::REVOKE);
        }
        answer
    }

    async fn raise_epoch(&self, raise: &Raise) -> Result<u64, Error> {
        self.store.raise_epoch(raise).await
    }

    async fn confirm(&self, confirm: &Confirm) -> Result<Confirmed, Error> {
        self.store.confirm(confirm).await
    }

    async fn subscribe(&self, watch: &Watch) -> Result<SessionEvents, Error> {
        self.store.subscribe(watch).await
    }

    async fn ready(&self) -> Result<(), Error> {
        self.store.ready().await
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |number: u32| if number == 1 { "" } else { "s" };
        let Self { round_trips, commands } = *self;
        write!(f, "{round_trips} round trip{}, {commands} command{}", s(round_trips), s(commands))
    }
}
