//! A value that exactly one request gets.

use std::{collections::BTreeMap, sync::Arc};

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{
    Key, Session,
    commit::{Job, MAX_MOVES, Step, jitter, run},
    handle::decode,
    state::{Intent, Pending},
};
use crate::{
    error::{Error, ErrorKind, Result},
    record::{Change, Delta, FieldName, Json, Write},
    store::{Commit, Policy},
};

impl Session {
    /// Takes a value out of the session: of any number of parallel requests exactly one gets it, the others get
    /// `None`. For messages that are shown once ("flash messages").
    ///
    /// It is committed at once, by itself; other changes of this request wait for their own commit. Where the
    /// session holds no such value, nothing is asked of the store, so that every page can look for a message.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the value is no `T`; it is taken out even so. [`ErrorKind::Unavailable`] and the
    /// like: asking again is safe, and if the value was taken out by the first try it is answered then.
    pub async fn take<T: DeserializeOwned>(&self, key: impl Into<Key<T>>) -> Result<Option<T>> {
        let key = key.into();
        let name = key.target()?.name;
        self.load().await?;
        let value = self.take_json(&name).await?;
        value.map(|value| decode(name.as_str(), &value)).transpose()
    }

    async fn take_json(&self, name: &FieldName) -> Result<Option<Json>> {
        let _turn = self.inner.gate.lock().await;
        let deadline = Instant::now() + self.inner.engine.settings.replay;
        let (mut moves, mut tries) = (0, 0);
        loop {
            let (pending, value) = match self.next_taking(name)? {
                Next::Known(value) => return Ok(value),
                Next::Ask { pending, value } => (pending, value),
            };
            match run(self, pending).await? {
                Step::Settled if value.is_some() => return Ok(value),
                // That was the answer to something that this request had asked before.
                Step::Settled => {}
                Step::Over(super::Outcome::Gone(_)) => return Ok(None),
                Step::Again(_) | Step::Over(_) if Instant::now() < deadline => {
                    tokio::time::sleep(jitter(tries)).await;
                    tries += 1;
                }
                Step::Moved if moves < MAX_MOVES => moves += 1,
                Step::Moved | Step::Again(_) | Step::Over(_) => {
                    let text = format!("session key {name:?} is changed too often to take its value");
                    return Err(Error::msg(ErrorKind::Unavailable, text));
                }
            }
        }
    }

    fn next_taking(&self, name: &FieldName) -> Result<Next> {
        let engine = &self.inner.engine;
        let mut state = self.state();
        let state = state.open_to_write()?;
        if let Some(pending) = &state.pending {
            // If it is this very question, whose answer was lost, it comes with the value.
            let value = match &pending.taking {
                Some((taken, value)) if taken == name => Some(value.clone()),
                _ => None,
            };
            return Ok(Next::Ask { pending: Arc::clone(pending), value });
        }
        let value = state.read(name.as_str());
        let anew = state.ending.is_some() || matches!(state.intent, Some(Intent::Login(_)));
        let mine = state.delta.clear || state.delta.changes.contains_key(name);
        let (Some(value), Some(record), false) = (value.clone(), &state.record, anew || mine) else {
            // Nothing there, or nobody else has it.
            state.remove(name.clone());
            return Ok(Next::Known(value));
        };
        let change = Change { write: Write::Remove, watched: Some(true), secret: false };
        let delta = Delta { clear: false, changes: [(name.clone(), change)].into() };
        let commit = Commit {
            at: record.address,
            event: crate::id::EventId::new(),
            base: record.base,
            image: record.image.clone(),
            delta: delta.clone(),
            policy: Policy::Merge,
            idle: engine.settings.idle(record.address.class),
            touch: self.inner.touch,
            renewal: None,
            user: record.user.clone(),
            context: Arc::clone(&self.inner.context),
        };
        let pending = Arc::new(Pending {
            job: Job::Commit { commit, token: None },
            delta,
            carried: BTreeMap::new(),
            wipes: state.wipes(),
            ending: None,
            intent: None,
            since: Instant::now(),
            taking: Some((name.clone(), value.clone())),
        });
        state.pending = Some(Arc::clone(&pending));
        Ok(Next::Ask { pending, value: Some(value) })
    }
}

enum Next {
    Known(Option<Json>),
    /// `value` is what this request gets if the store says yes.
    Ask {
        pending: Arc<Pending>,
        value: Option<Json>,
    },
}
