//! Their trait.

use std::{collections::HashMap, time::Duration};

use ::actix_session::storage::{
    LoadError, SaveError, SessionKey, SessionStore as TheirStore, UpdateError, generate_session_key,
};
use serde_json::value::{RawValue, to_raw_value};
use time::Duration as TheirDuration;

use crate::{
    bridge::{Bridge, Content, Replaced},
    error::{Error, ErrorKind, Result},
    record::EndReason,
    store::SessionStore,
};

/// Separates these sessions from those of other libraries in one namespace.
const LABEL: &str = "actix-session";

/// How often `save` takes another key. Not by chance: keys have 380 bits.
const MAX_KEYS: usize = 8;

type State = HashMap<String, String>;

/// Their values are JSON text as a rule, and any text by their types.
fn pack(state: &State) -> Result<Content> {
    let mut content = Content::new(None);
    for (key, value) in state {
        let plain = serde_json::from_str::<&RawValue>(value).is_ok().then(|| value.clone());
        content.put(key, plain, || to_raw_value(value))?;
    }
    Ok(content)
}

fn unpack(content: &Content) -> Result<State> {
    let mut state: State = content.plain().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    for (key, value) in content.rest() {
        let value = serde_json::from_str(value)
            .map_err(|_| Error::msg(ErrorKind::Decode, "a value of a session can't be read"))?;
        state.insert(key.to_owned(), value);
    }
    Ok(state)
}

/// `None` for a time that is over.
fn life(ttl: &TheirDuration) -> Option<Duration> {
    Duration::try_from(*ttl).ok().filter(|life| life.as_millis() > 0)
}

impl<S: SessionStore> TheirStore for Bridge<S> {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        let failed = |error: Error| match error.kind() {
            ErrorKind::Decode => LoadError::Deserialization(error.into()),
            _ => LoadError::Other(error.into()),
        };
        let content = self.read(LABEL, key.as_ref().as_bytes()).await.map_err(failed)?;
        content.map(|content| unpack(&content)).transpose().map_err(failed)
    }

    async fn save(&self, state: State, ttl: &TheirDuration) -> Result<SessionKey, SaveError> {
        let failed = |error: Error| match error.kind() {
            ErrorKind::Encode => SaveError::Serialization(error.into()),
            _ => SaveError::Other(error.into()),
        };
        let content = pack(&state).map_err(failed)?;
        for _ in 0..MAX_KEYS {
            let key = generate_session_key();
            // What is over before it begins needs no place.
            let Some(life) = life(ttl) else { return Ok(key) };
            if self.begin(LABEL, key.as_ref().as_bytes(), &content, life).await.map_err(failed)? {
                return Ok(key);
            }
        }
        Err(SaveError::Other(anyhow::Error::msg("no free session key was found")))
    }

    async fn update(
        &self,
        key: SessionKey,
        state: State,
        ttl: &TheirDuration,
    ) -> Result<SessionKey, UpdateError> {
        let failed = |error: Error| match error.kind() {
            ErrorKind::Encode => UpdateError::Serialization(error.into()),
            _ => UpdateError::Other(error.into()),
        };
        let id = key.as_ref().as_bytes();
        let Some(life) = life(ttl) else {
            self.end(LABEL, id).await.map_err(failed)?;
            return Ok(key);
        };
        let content = pack(&state).map_err(failed)?;
        match self.replace(LABEL, id, &content, life).await.map_err(failed)? {
            Replaced::Yes => Ok(key),
            // Its time ran out while the request was under way: see the page.
            Replaced::Gone(ended) if ended.reason == EndReason::Unknown => {
                self.save(state, ttl).await.map_err(|error| match error {
                    SaveError::Serialization(error) => UpdateError::Serialization(error),
                    SaveError::Other(error) => UpdateError::Other(error),
                })
            }
            Replaced::Gone(ended) => {
                let text =
                    format!("the session has ended ({}), and an update does not bring it back", ended.reason);
                Err(UpdateError::Other(anyhow::Error::msg(text)))
            }
        }
    }

    async fn update_ttl(&self, key: &SessionKey, ttl: &TheirDuration) -> Result<(), anyhow::Error> {
        let id = key.as_ref().as_bytes();
        match life(ttl) {
            Some(life) => self.touch(LABEL, id, life).await?,
            None => self.end(LABEL, id).await?,
        }
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        Ok(self.end(LABEL, key.as_ref().as_bytes()).await?)
    }
}
