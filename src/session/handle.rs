//! `Session`.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Claim, Engine, Key, Outcome,
    commit::commit,
    key::writable,
    replay::replayed,
    state::{CookieAction, State},
};
use crate::{
    audit::RequestContext,
    error::{Error, ErrorKind, Result},
    header::Carrier,
    id::Address,
    record::{EndReason, Ended, FieldName, Json, Version},
    store::{Durability, Loaded, Policy, Touch},
};

/// A request's session. Clones are handles to the same one, and may go to other tasks.
///
/// See the [module](super) for how it is used.
#[derive(Clone)]
pub struct Session {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) engine: Arc<Engine>,
    pub(super) context: Arc<RequestContext>,
    /// What the request's cookie names.
    presented: Option<Claim>,
    /// Where that stood, and so where a new token goes.
    carrier: Carrier,
    pub(super) touch: Touch,
    /// Made by [`Session::detach`]: no response is left to carry a cookie.
    pub(super) detached: bool,
    state: Mutex<State>,
    /// One conversation with the store at a time.
    pub(super) gate: tokio::sync::Mutex<()>,
}

/// What [`Session::save`] came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a conflict or a session that is gone means that nothing was saved"]
pub enum Saved {
    /// Everything so far is stored, and this is the session's version. `None`: there is no session,
    /// because nothing was ever written or because it was ended by this very call.
    Saved(Option<Version>),
    /// Nothing is stored: other requests changed keys that this one had read before it wrote them. The
    /// changes are still in the handle: [`reload`](Session::reload) drops them, or else the layer tries
    /// once more and answers 409.
    Conflict(Vec<String>),
    /// Nothing is stored: the session ended meanwhile.
    Gone(Ended),
    /// Nothing is stored, and the session is as it was: the user who was to sign in has as many sessions as
    /// there may be ([`CapPolicy::Reject`](crate::store::CapPolicy::Reject)). The sign-in and what this request
    /// wrote are dropped from the handle, so that the handler's own answer stands.
    Rejected,
}

impl Session {
    /// A session for a request that presents `presented`, not loaded yet if that is anything.
    pub(crate) fn new(
        engine: Arc<Engine>,
        presented: Option<Claim>,
        carrier: Carrier,
        touch: Touch,
        context: Arc<RequestContext>,
    ) -> Self {
        let state = if presented.is_some() { State::default() } else { State::nothing(None) };
        let (state, gate) = (Mutex::new(state), tokio::sync::Mutex::default());
        Self {
            inner: Arc::new(Inner {
                engine,
                context,
                presented,
                carrier,
                touch,
                detached: false,
                state,
                gate,
            }),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A closure of the application may have panicked under the lock. It runs before anything is
        // changed, so the state is whole.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the store for the session that the request's cookie names, once. The layer has done it
    /// unless it was told to load lazily; extractors do it then.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] and the like when the store fails.
    pub async fn load(&self) -> Result<()> {
        if self.state().loaded {
            return Ok(());
        }
        let _turn = self.inner.gate.lock().await;
        if self.state().loaded {
            return Ok(());
        }
        self.fetch().await
    }

    /// Loads again and drops every change that was not saved.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub async fn reload(&self) -> Result<()> {
        let _turn = self.inner.gate.lock().await;
        self.fetch().await
    }

    async fn fetch(&self) -> Result<()> {
        let Some(at) = self.whereabouts() else {
            self.state().replace(State::nothing(None));
            return Ok(());
        };
        let engine = &self.inner.engine;
        let idle = engine.settings.idle(at.class);
        let loaded = engine.store.load(at, self.inner.touch, idle).await?;
        if let Loaded::Replayed { successor } = &loaded {
            // Rare: kept out of the future that every request makes.
            Box::pin(replayed(self, at, *successor)).await?;
        }
        let mut state = self.state();
        // Whoever came with the old token of a renewal has not got the new one by loading again.
        let superseded = state.record.as_ref().is_some_and(|record| record.superseded);
        let fresh = match loaded {
            Loaded::Found(mut record) => {
                record.superseded |= superseded;
                State::found(record)
            }
            Loaded::Ended(ended) => State::nothing(Some(ended)),
            Loaded::Replayed { .. } => {
                State::nothing(Some(Ended { reason: EndReason::Replayed, at: None, device: None }))
            }
            Loaded::Missing => State::nothing(None),
        };
        state.replace(fresh);
        Ok(())
    }

    /// After a sign-in or a renewal the session is where this request put it. A request with the old
    /// token of a renewal asks by that, since asking by the new one would count as its use.
    fn whereabouts(&self) -> Option<Address> {
        let presented = || self.inner.presented.as_ref().map(Claim::address);
        let state = self.state();
        match state.record.as_deref() {
            Some(record) if record.superseded => presented().or(Some(record.address)),
            Some(record) => Some(record.address),
            None => presented(),
        }
    }

    /// The value under `key`, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the stored JSON is not a `T`. Only this key is concerned: it stays as
    /// it is, and so does the session.
    pub fn get<T: DeserializeOwned>(&self, key: impl Into<Key<T>>) -> Result<Option<T>> {
        let key = key.into();
        let value = self.state().open()?.read(key.name());
        value.map(|value| decode(key.name(), &value)).transpose()
    }

    /// Whether there is a value under `key`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotLoaded`], with lazy loading only.
    pub fn contains(&self, key: &str) -> Result<bool> {
        Ok(self.state().open()?.read(key).is_some())
    }

    /// The names of all keys, in order.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotLoaded`], with lazy loading only.
    pub fn keys(&self) -> Result<Vec<FieldName>> {
        Ok(self.state().open()?.names())
    }

    /// Writes a value.
    ///
    /// If this request has read the key before, and another request changes it meanwhile, the commit
    /// is a conflict; if it has not, the later of the two wins.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Limit`] if the session would grow too large, [`ErrorKind::Encode`] if the value is
    /// not representable as JSON, [`ErrorKind::InvalidKey`] for a bad name. Nothing is changed then.
    pub fn insert<T: Serialize>(&self, key: impl Into<Key<T>>, value: &T) -> Result<()> {
        let target = key.into().target()?;
        let value = encode(target.name.as_str(), value)?;
        let limits = &self.inner.engine.settings.limits;
        self.state().open_to_write()?.set(target, value, limits)
    }

    /// Removes a value. Where there is none, nothing is changed and nothing committed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKey`] for a bad name.
    pub fn remove(&self, key: &str) -> Result<()> {
        let name = writable(key)?;
        self.state().open_to_write()?.remove(name);
        Ok(())
    }

    /// Removes every value. The session itself, its user and its lifetime stay.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotLoaded`], with lazy loading only.
    pub fn clear(&self) -> Result<()> {
        self.state().open_to_write()?.clear();
        Ok(())
    }

    /// Changes a value in a way that can be repeated: if another request changed it meanwhile, `f`
    /// runs again on the newer value, up to a second by default, before a conflict is reported.
    ///
    /// `f` must be pure: it may run several times, and only the last run counts. It must not use this
    /// session, which is locked while it runs.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`insert`](Self::insert).
    pub fn update<T, F>(&self, key: impl Into<Key<T>>, f: F) -> Result<()>
    where
        T: Serialize + DeserializeOwned + 'static,
        F: Fn(Option<T>) -> T + Send + 'static,
    {
        let key = key.into();
        let target = key.target()?;
        let replay = move |value: Option<&Json>| {
            let value = value.map(|value| decode(key.name(), value)).transpose()?;
            encode(key.name(), &f(value))
        };
        let limits = &self.inner.engine.settings.limits;
        self.state().open_to_write()?.update(target, Box::new(replay), limits)
    }

    /// What wins when two requests change this session at a time, for this request instead of the layer's
    /// policy. A key's own policy stands above it.
    pub fn set_policy(&self, policy: Policy) {
        self.state().policy = Some(policy);
    }

    /// How sure everything must be that this request changes, instead of the layer's
    /// [durability](crate::manager::SessionConfig::with_durability), which is for sign-ins and sign-outs.
    pub fn set_durability(&self, durability: Durability) {
        self.state().durability = Some(durability);
    }

    /// Commits now and tells the outcome. The layer commits whatever comes after.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] and the like: the changes stay in this handle, and saving again is
    /// safe: what the store had done already is not done twice. [`ErrorKind::NotReplicated`] where too few
    /// replicas have it and that is [refused](crate::store::TooFew::Refuse). [`ErrorKind::AfterCommit`] on a
    /// [detached](Self::detach) handle of a request that had no session.
    pub async fn save(&self) -> Result<Saved> {
        self.load().await?;
        Ok(match commit(self).await? {
            Outcome::Done => Saved::Saved(self.version()),
            Outcome::Conflict(keys) => Saved::Conflict(keys.iter().map(ToString::to_string).collect()),
            Outcome::Gone(ended) => Saved::Gone(ended),
            Outcome::Rejected => Saved::Rejected,
        })
    }

    /// A handle of its own to the same session, for work that outlives the response (streams,
    /// WebSockets, background tasks). Nobody commits it: call [`save`](Self::save), which also says
    /// when the session is gone, each time.
    ///
    /// No response is left to carry a token, so such a handle never begins a session, signs nobody in and
    /// renews nothing: all of that is [`ErrorKind::AfterCommit`]. It writes, and it signs out.
    #[must_use]
    pub fn detach(&self) -> Self {
        let state = self.state();
        let fresh = match &state.record {
            Some(record) => State::found(record.clone()),
            None if state.loaded => State::nothing(state.ended.clone()),
            None => State::default(),
        };
        let inner = Inner {
            engine: Arc::clone(&self.inner.engine),
            context: Arc::clone(&self.inner.context),
            presented: self.inner.presented.as_ref().map(|claim| Claim::Address(claim.address())),
            carrier: self.inner.carrier,
            touch: self.inner.touch,
            detached: true,
            state: Mutex::new(fresh),
            gate: tokio::sync::Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.accessed = true;
        state
    }

    /// Marks the response as depending on the session, so that it says `Vary: Cookie`. Everything that
    /// reads or writes does so by itself; an extractor of your own may have a reason to.
    pub fn mark_accessed(&self) {
        self.state().accessed = true;
    }

    pub(crate) fn carrier(&self) -> Carrier {
        self.inner.carrier
    }

    /// [`close`](Self::close)s it, unless the layer has to go to the store before it answers.
    pub(crate) fn close_at_once(&self, delta_too: bool) -> Option<(CookieAction, bool)> {
        let mut state = self.state();
        if state.wants_commit(delta_too) {
            return None;
        }
        state.forget();
        Some(state.close())
    }

    /// Drops what the handler changed but did not end.
    pub(crate) fn forget_changes(&self) {
        let mut state = self.state();
        // Nobody is left who could get the value.
        state.pending.take_if(|pending| pending.taking.is_some());
        if state.pending.is_none() {
            state.forget();
        }
    }

    /// The request is over: what the response shall say, and no more writes.
    pub(crate) fn close(&self) -> (CookieAction, bool) {
        self.state().close()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let mut debug = f.debug_struct("Session");
        if let Some(record) = &state.record {
            debug.field("ref", &record.address.reference).field("version", &record.base.version);
        }
        debug.finish_non_exhaustive()
    }
}

pub(super) fn encode<T: Serialize + ?Sized>(name: &str, value: &T) -> Result<Json> {
    serde_json::to_string(value).map(Json::from_text).map_err(|error| {
        Error::msg(ErrorKind::Encode, format!("session key {name:?}: the value is not representable as JSON"))
            .because(error)
    })
}

pub(super) fn decode<T: DeserializeOwned>(name: &str, value: &Json) -> Result<T> {
    serde_json::from_str(value.as_str()).map_err(|error| {
        // serde's own message may quote the value, so only its place is kept.
        let (line, column) = (error.line(), error.column());
        Error::msg(
            ErrorKind::Decode,
            format!("session key {name:?}: the stored value is not of the asked type (line {line}, column {column})"),
        )
    })
}
