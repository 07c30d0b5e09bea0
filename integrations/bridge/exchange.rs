//! Reading, making, replacing and ending sessions as a whole.

use std::{sync::Arc, time::Duration};

use super::{Bridge, content::Content};
use crate::{
    error::{Error, ErrorKind, Result},
    id::{Address, EventId},
    record::{EndReason, Ended, Fields, Record},
    store::{Commit, Committed, Create, Created, End, Loaded, Policy, REMEMBER, SessionStore, Touch},
};

/// What became of an attempt to replace a session.
#[derive(Debug)]
pub(crate) enum Replaced {
    /// The session is what was asked for.
    Yes,
    /// There is no such session, and none was made.
    Gone(Ended),
}

impl<S: SessionStore> Bridge<S> {
    /// The whole session. Its idle timeout goes on running: the libraries restart it by saving.
    pub(crate) async fn read(&self, label: &str, id: &[u8]) -> Result<Option<Content>> {
        match self.store.load(self.address(label, id), Touch::Peek, Duration::ZERO).await? {
            Loaded::Found(record) => Content::from_fields(&record.fields).map(Some),
            _ => Ok(None),
        }
    }

    /// Makes a session that lives for `life`. False if the id is in use, or was.
    pub(crate) async fn begin(
        &self,
        label: &str,
        id: &[u8],
        content: &Content,
        life: Duration,
    ) -> Result<bool> {
        self.check_size(content)?;
        let create = Create {
            at: self.address(label, id),
            event: EventId::new(),
            idle: life,
            absolute: self.absolute.max(life),
            sign_in: None,
            device: None,
            delta: content.delta(&Fields::default(), |name| self.is_secret(name))?,
            predecessor: None,
            context: Arc::default(),
        };
        Ok(matches!(self.store.create(&create).await?, Created::Created { .. }))
    }

    /// Makes a session that exists into `content`, whatever others made of it meanwhile: the interface
    /// does not say what the request knew of it, so there is nothing to merge by.
    pub(crate) async fn replace(
        &self,
        label: &str,
        id: &[u8],
        content: &Content,
        life: Duration,
    ) -> Result<Replaced> {
        self.check_size(content)?;
        let at = self.address(label, id);
        let record = match self.store.load(at, Touch::Peek, Duration::ZERO).await? {
            Loaded::Found(record) => record,
            Loaded::Ended(ended) => return Ok(Replaced::Gone(ended)),
            // Nobody renews these sessions, so there is nothing else than nothing.
            _ => return Ok(Replaced::Gone(Ended::UNKNOWN)),
        };
        // First what differs, if nobody is in between: otherwise the session would be a mixture of two
        // records, which neither of the two requests has ever seen.
        let current = match self.commit(&record, content, life, Policy::Strict).await? {
            Committed::Committed { .. } => return Ok(Replaced::Yes),
            Committed::Conflict { current, .. } => current,
            other => return gone(other),
        };
        match self.commit(&current, content, life, Policy::LastWriteWins).await? {
            Committed::Committed { .. } => Ok(Replaced::Yes),
            other => gone(other),
        }
    }

    async fn commit(
        &self,
        record: &Record,
        content: &Content,
        life: Duration,
        policy: Policy,
    ) -> Result<Committed> {
        let secret = |name: &str| self.is_secret(name);
        let mut delta = content.delta(&record.fields, secret)?;
        if policy == Policy::LastWriteWins {
            // Everything anew in one go: then it does not matter who else is writing.
            delta = content.delta(&Fields::default(), secret)?;
            delta.clear = true;
        }
        let commit = Commit {
            at: record.address,
            event: EventId::new(),
            base: record.base,
            image: record.image.clone(),
            delta,
            policy,
            idle: life,
            touch: Touch::Refresh,
            renewal: None,
            user: None,
            context: Arc::default(),
        };
        self.store.commit(&commit).await
    }

    /// Restarts the idle timeout. Where there is no session, nothing happens.
    #[cfg(feature = "actix-session")]
    pub(crate) async fn touch(&self, label: &str, id: &[u8], life: Duration) -> Result<()> {
        self.store.load(self.address(label, id), Touch::Refresh, life).await.map(drop)
    }

    /// Ends a session for good. Where there is none, nothing happens.
    pub(crate) async fn end(&self, label: &str, id: &[u8]) -> Result<()> {
        let end = |at: Address| End {
            at,
            event: EventId::new(),
            // The interface does not say whether this is a logout or a new id.
            reason: EndReason::Destroyed,
            keep_fields: false,
            remember: REMEMBER,
            user: None,
            context: Arc::default(),
        };
        self.store.end(&end(self.address(label, id))).await.map(drop)
    }
}

fn gone(answer: Committed) -> Result<Replaced> {
    match answer {
        Committed::Gone(ended) => Ok(Replaced::Gone(ended)),
        // Nobody renews these sessions, and one that was loaded a moment ago is not that far behind.
        _ => Err(Error::msg(ErrorKind::Unavailable, "too many requests write this session at a time")),
    }
}
