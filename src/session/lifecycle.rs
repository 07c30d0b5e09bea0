//! What a handler wants to become of the session itself: signing in and out, a new token, a proof anew.

use super::{
    Login, Session,
    state::{Intent, State},
};
use crate::{
    error::{Error, ErrorKind, Result},
    record::EndReason,
};

impl Session {
    /// Signs a user in: the commit makes a new session with a new token, and ends the one before, whose
    /// token is dead at once. There is no other way to attach a user to a session, and so no way for
    /// a token that was planted before the sign-in to be worth anything after it (session fixation).
    ///
    /// Only the keys that [`Login::carry`] names come along.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Superseded`] with the old token of a renewed session, [`ErrorKind::AfterCommit`] on a
    /// [detached](Self::detach) handle.
    #[doc(alias = "sign_in")]
    #[doc(alias = "cycle_id")]
    pub fn login(&self, login: impl Into<Login>) -> Result<()> {
        self.want_login("login", login.into())
    }

    pub(super) fn want_login(&self, what: &str, login: Login) -> Result<()> {
        if login.user.is_empty() || login.user.len() > 512 {
            return Err(Error::msg(ErrorKind::Limit, "a user id has 1 to 512 bytes"));
        }
        self.refuse_detached(what)?;
        let mut state = self.state();
        let state = state.open_to_write()?;
        refuse_superseded(state)?;
        state.login(login);
        Ok(())
    }

    /// Ends the session as the user's own wish. Applied whatever the response's status is. What is
    /// written afterwards goes into a new, anonymous session.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotLoaded`], with lazy loading only.
    #[doc(alias = "purge")]
    #[doc(alias = "flush")]
    pub fn logout(&self) -> Result<()> {
        self.state().open_to_write()?.end(EndReason::LoggedOut);
        Ok(())
    }

    /// Ends the session for another reason than the user's wish. Otherwise as [`logout`](Self::logout).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotLoaded`], with lazy loading only.
    pub fn destroy(&self) -> Result<()> {
        self.state().open_to_write()?.end(EndReason::Destroyed);
        Ok(())
    }

    /// Moves the session to a new token, everything else unchanged. Requests under way with the old
    /// token go on working for some seconds; it can't sign in, renew, or learn the new token.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Superseded`] with the old token of a renewed session, [`ErrorKind::AfterCommit`] on a
    /// [detached](Self::detach) handle.
    pub fn renew(&self) -> Result<()> {
        self.refuse_detached("renew")?;
        let mut state = self.state();
        let state = state.open_to_write()?;
        refuse_superseded(state)?;
        if state.intent.is_none() && state.ending.is_none() && state.record.is_some() {
            state.intent = Some(Intent::Renew);
        }
        Ok(())
    }

    /// Says that the user who is signed in has proved it again: by a second factor, for a step-up, after a
    /// change of role or password. The commit moves the session to a new token in one script; the old one is
    /// dead at once, unlike after [`renew`](Self::renew), and both timeouts start again (NIST SP 800-63B-4,
    /// 5.1). Values stay.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotAuthenticated`] where nobody is signed in, [`ErrorKind::Superseded`] with the old token
    /// of a renewed session, [`ErrorKind::AfterCommit`] on a [detached](Self::detach) handle.
    pub fn reauthenticate(&self, method: impl Into<String>) -> Result<()> {
        self.refuse_detached("reauthenticate")?;
        let mut state = self.state();
        let state = state.open_to_write()?;
        refuse_superseded(state)?;
        let signed_in = state.ending.is_none() && state.record.as_ref().is_some_and(|r| r.user.is_some());
        match &mut state.intent {
            // A sign-in of this very request moves the session anyway.
            Some(Intent::Login(login)) if !login.outstanding => login.method = Some(method.into()),
            _ if !signed_in => {
                let text = "nobody is signed in: only a user who is can prove it again; see `login`";
                return Err(Error::msg(ErrorKind::NotAuthenticated, text));
            }
            intent => *intent = Some(Intent::Reauthenticate(Some(method.into()))),
        }
        Ok(())
    }

    /// Refuses what makes a new token where no response is left to carry it.
    fn refuse_detached(&self, what: &str) -> Result<()> {
        if !self.inner.detached {
            return Ok(());
        }
        let text = format!(
            "`{what}` on a detached handle: no response is left to carry the new token; \
             call it in the handler, on the request's own session"
        );
        Err(Error::msg(ErrorKind::AfterCommit, text))
    }
}

fn refuse_superseded(state: &State) -> Result<()> {
    match &state.record {
        Some(record) if record.superseded => Err(Error::msg(
            ErrorKind::Superseded,
            "this request came with the old token of a renewed session: only the new one can renew or sign in",
        )),
        _ => Ok(()),
    }
}
