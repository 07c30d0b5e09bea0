//! One session, step by step.

use std::time::Duration;

use cloakroom::{
    audit::RequestContext,
    id::{Address, EventId},
    record::{Base, Change, Delta, EndReason, FieldName, Json, Operation, Version, Write},
    store::{
        Commit, Committed, Create, Created, End, Finished, Policy, RedisStore, Renewal, SessionStore as _,
        SignIn, Touch,
    },
};

use crate::traffic::address;

const HOUR: Duration = Duration::from_secs(3600);

/// A session on the first shard of one.
pub struct Visit {
    store: RedisStore,
    pub at: Address,
    pub base: Base,
    user: Option<String>,
}

fn delta(changes: &[(&str, Write, bool)]) -> Delta {
    let change = |(name, write, secret): &(&str, Write, bool)| {
        (FieldName::new(name).unwrap(), Change { write: write.clone(), watched: None, secret: *secret })
    };
    Delta { clear: false, changes: changes.iter().map(change).collect() }
}

pub fn set(json: &str) -> Write {
    Write::Set(Json::from_text(json))
}

pub fn add(number: i64) -> Write {
    Write::Apply(vec![Operation::Increment(number)])
}

impl Visit {
    pub async fn begin(
        store: &RedisStore,
        user: Option<&str>,
        device: Option<&str>,
        changes: &[(&str, Write, bool)],
    ) -> Self {
        let (at, event) = (address(0, 1), EventId::new());
        let sign_in =
            user.map(|user| SignIn { user: user.into(), method: Some("passkey".into()), listing: None });
        let create = Create {
            at,
            event,
            idle: HOUR,
            absolute: 10 * HOUR,
            sign_in,
            device: device.map(str::to_owned),
            delta: delta(changes),
            predecessor: None,
            context: RequestContext::default().into(),
        };
        assert!(matches!(store.create(&create).await.unwrap(), Created::Created { .. }));
        let base = Base { version: Version::new(1), head: event };
        Self { store: store.clone(), at, base, user: user.map(str::to_owned) }
    }

    pub async fn commit(&mut self, changes: &[(&str, Write, bool)]) {
        self.change(changes, false).await.unwrap();
    }

    /// Moves the session to a new token.
    pub async fn renew(&mut self) {
        self.change(&[], true).await.unwrap();
    }

    pub async fn change(
        &mut self,
        changes: &[(&str, Write, bool)],
        renew: bool,
    ) -> Result<(), cloakroom::error::Error> {
        let to = address(0, 1);
        let renewal = renew.then_some(Renewal { to, grace: HOUR, remember: HOUR, anew: None });
        let event = EventId::new();
        let commit = Commit {
            at: self.at,
            event,
            base: self.base,
            image: Default::default(),
            delta: delta(changes),
            policy: Policy::Merge,
            idle: HOUR,
            touch: Touch::Refresh,
            renewal,
            user: self.user.clone(),
            context: RequestContext::default().into(),
        };
        match self.store.commit(&commit).await? {
            Committed::Committed { version, .. } => self.base = Base { version, head: event },
            other => panic!("{other:?}"),
        }
        if renew {
            self.at = to;
        }
        Ok(())
    }

    pub async fn end(&self, reason: EndReason) {
        let end = End {
            at: self.at,
            event: EventId::new(),
            reason,
            keep_fields: false,
            remember: HOUR,
            user: self.user.clone(),
            context: RequestContext::default().into(),
        };
        assert!(matches!(self.store.end(&end).await.unwrap(), Finished::Ended { .. }));
    }
}
