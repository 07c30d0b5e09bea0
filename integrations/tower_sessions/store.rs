//! Their trait, once for each release.

use super::convert::{life, pack, unpack};
use crate::{
    bridge::{Bridge, Replaced},
    error::{Error, ErrorKind},
    store::SessionStore,
};

/// Separates these sessions from those of other libraries in one namespace. Both releases share it.
const LABEL: &str = "tower-sessions";

/// How often `create` takes another id. Not by chance: ids have 128 bits.
const MAX_IDS: usize = 8;

/// The two traits are spelled alike, and neither is the other.
macro_rules! implement {
    ($core:ident) => {
        const _: () = {
            use $core::{
                SessionStore as TheirStore,
                session::{Id, Record},
                session_store::{Error as TheirError, Result},
            };

            fn failed(error: Error) -> TheirError {
                // Theirs has no source, so the cause is told here or nowhere.
                tracing::error!(error = &error as &dyn std::error::Error, "a session store call failed");
                let text = error.to_string();
                match error.kind() {
                    ErrorKind::Encode => TheirError::Encode(text),
                    ErrorKind::Decode => TheirError::Decode(text),
                    _ => TheirError::Backend(text),
                }
            }

            #[async_trait::async_trait]
            impl<S: SessionStore> TheirStore for Bridge<S> {
                async fn create(&self, record: &mut Record) -> Result<()> {
                    // What is over before it begins needs no place, as if it had been there and expired.
                    let Some(life) = life(record.expiry_date) else { return Ok(()) };
                    let content = pack(&record.data, record.expiry_date).map_err(failed)?;
                    for _ in 0..MAX_IDS {
                        let id = record.id.0.to_be_bytes();
                        if self.begin(LABEL, &id, &content, life).await.map_err(failed)? {
                            return Ok(());
                        }
                        record.id = Id::default();
                    }
                    Err(TheirError::Backend("no free session id was found".to_owned()))
                }

                async fn save(&self, record: &Record) -> Result<()> {
                    let id = record.id.0.to_be_bytes();
                    let Some(life) = life(record.expiry_date) else {
                        return self.end(LABEL, &id).await.map_err(failed);
                    };
                    let content = pack(&record.data, record.expiry_date).map_err(failed)?;
                    match self.replace(LABEL, &id, &content, life).await.map_err(failed)? {
                        Replaced::Yes => Ok(()),
                        Replaced::Gone(ended) => Err(TheirError::Backend(format!(
                            "the session has ended ({}), and saving does not bring it back",
                            ended.reason
                        ))),
                    }
                }

                async fn load(&self, id: &Id) -> Result<Option<Record>> {
                    let content = self.read(LABEL, &id.0.to_be_bytes()).await.map_err(failed)?;
                    let Some(content) = content else { return Ok(None) };
                    let (data, expiry_date) = unpack(&content).map_err(failed)?;
                    Ok(Some(Record { id: *id, data, expiry_date }))
                }

                async fn delete(&self, id: &Id) -> Result<()> {
                    self.end(LABEL, &id.0.to_be_bytes()).await.map_err(failed)
                }
            }
        };
    };
}

#[cfg(feature = "tower-sessions")]
implement!(tower_sessions_core_015);
#[cfg(feature = "tower-sessions-014")]
implement!(tower_sessions_core_014);
