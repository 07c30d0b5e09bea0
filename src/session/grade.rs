//! How much a sign-in is worth by now.

use std::time::Duration;

use super::{Session, state::Intent};
use crate::id::IdleClass;

/// What kind of sign-in a session is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Grade {
    /// [Remembered](super::Login::remembered) over the end of the browser: it is known whose device this is,
    /// and not who sits there. Good for greeting, for a cart, for what is shown to whoever finds the device.
    Remembered,
    /// Gone with the browser and after an hour without a request, by default.
    Ordinary,
}

impl Grade {
    const fn of(class: IdleClass) -> Self {
        match class {
            IdleClass::REMEMBERED => Self::Remembered,
            _ => Self::Ordinary,
        }
    }
}

/// # How the user signed in
impl Session {
    /// What kind of sign-in this is. `None` where nobody is signed in.
    ///
    /// It is a part of the token, and so nothing that a write to the session could change; a renewal and a proof
    /// anew keep it.
    pub fn grade(&self) -> Option<Grade> {
        let state = self.seen();
        match (&state.intent, &state.record) {
            (Some(Intent::Login(login)), _) if login.outstanding => None,
            (Some(Intent::Login(login)), _) => Some(Grade::of(login.class())),
            (_, Some(record)) if state.ending.is_none() && record.user.is_some() => {
                Some(Grade::of(record.address.class))
            }
            _ => None,
        }
    }

    /// Whether the user signed in, or proved it again, at most `most` ago, both by the store's clock. Never for
    /// nobody, and of a [remembered](Grade::Remembered) session never for longer than it is
    /// [fully authenticated](Self::is_fully_authenticated).
    pub fn is_fresh(&self, most: Duration) -> bool {
        self.require_fresh(most).is_ok()
    }

    /// Whether somebody is signed in by more than being [remembered](Grade::Remembered): an ordinary session is
    /// for as long as it lives; a remembered one for as long after the proof as an ordinary one lives without a
    /// request, an hour [by default](crate::manager::SessionConfig::with_idle_timeout). Nobody tells a server
    /// when a browser is closed, so that is as close to "signed in in this browser's run" as a server can know,
    /// and errs to the safe side. [`reauthenticate`](Self::reauthenticate) begins that hour again.
    pub fn is_fully_authenticated(&self) -> bool {
        self.require_full().is_ok()
    }

    /// # Errors
    ///
    /// How fresh the proof must be.
    pub(crate) fn require_fresh(&self, most: Duration) -> Result<(), Duration> {
        let most = match self.grade() {
            Some(Grade::Remembered) => most.min(self.full_for()),
            Some(Grade::Ordinary) => most,
            None => return Err(most),
        };
        let fresh = self.since_proof().is_some_and(|since| since <= most);
        if fresh { Ok(()) } else { Err(most) }
    }

    /// # Errors
    ///
    /// How fresh the proof must be.
    pub(crate) fn require_full(&self) -> Result<(), Duration> {
        match self.grade() {
            Some(Grade::Ordinary) => Ok(()),
            Some(Grade::Remembered) => self.require_fresh(self.full_for()),
            None => Err(self.full_for()),
        }
    }

    fn full_for(&self) -> Duration {
        self.inner.engine.settings.idle(IdleClass::default())
    }

    /// How long ago the user proved who they are, as of the load.
    fn since_proof(&self) -> Option<Duration> {
        let state = self.seen();
        if let Some(Intent::Login(_) | Intent::Reauthenticate(_)) = &state.intent {
            return Some(Duration::ZERO);
        }
        let record = state.record.as_deref()?;
        let since = record.authentication.as_ref()?;
        Some(record.loaded_at.since(since.at))
    }
}
