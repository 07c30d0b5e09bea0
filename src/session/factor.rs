//! A first factor that was passed, and a second one that was not yet.

use serde::{Deserialize, Serialize};

use super::{
    Login, Session,
    handle::{decode, encode},
    login::Carry,
    state::{Intent, State},
};
use crate::{
    error::{Error, ErrorKind, Result},
    id::IdleClass,
    record::{Change, FieldName, Record, Write},
    store::{Create, Generation},
};

/// Where it is kept, in a session of nobody's whose token is of the class for this. No handler can write it, since
/// its name is reserved, and in a session of another class it would mean nothing.
const FIELD: &str = ":pending";

/// Who passed the first factor and has the second before them, see [`login_pending`](Session::login_pending).
/// Nobody to whom anything belongs may be shown or done: whoever knows a password gets this far.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FirstFactor {
    /// The application's id of the user.
    pub user: String,
    /// How the first factor was passed: what [`Login::by`] said.
    pub method: Option<String>,
}

/// A sign-in that waits, as it is stored.
#[derive(Serialize, Deserialize)]
struct Waiting {
    user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    remembered: bool,
    /// Which keys come along when it is complete; none of them named: all.
    carry: Option<Vec<String>>,
    /// Under which generation of the user's sessions it began.
    began: u64,
}

impl Waiting {
    fn of(record: &Record) -> Option<Self> {
        let field = record.fields.get(FIELD).filter(|_| record.address.class == IdleClass::PENDING)?;
        decode(FIELD, &field.value).ok()
    }

    fn complete(self, method: String) -> Login {
        Login {
            user: self.user,
            method: Some(method),
            device: self.device,
            carry: self.carry.map_or(Carry::All, Carry::Keys),
            remembered: self.remembered,
            outstanding: false,
            began: Some(Generation::new(self.began)),
        }
    }
}

/// # A second factor
///
/// ```
/// use cloakroom::{error::Error, session::{Login, Session}};
///
/// # fn is_password(_: &str, _: &str) -> bool { true }
/// # fn is_code(_: &str, _: &str) -> bool { true }
/// fn password(session: &Session, user: &str, password: &str) -> Result<&'static str, Error> {
///     if !is_password(user, password) {
///         return Ok("wrong");
///     }
///     session.login_pending(Login::user(user).by("password").carry(["cart"]))?;
///     Ok("now the code")
/// }
///
/// fn code(session: &Session, code: &str) -> Result<&'static str, Error> {
///     let Some(first) = session.first_factor() else { return Ok("the password first") };
///     if is_code(&first.user, code) {
///         session.complete_login("password+otp")?;
///         return Ok("welcome");
///     }
///     session.increment("wrong-codes", 1)?;
///     if session.get("wrong-codes")?.unwrap_or(0) >= 5 {
///         session.destroy()?;
///     }
///     Ok("wrong")
/// }
/// ```
impl Session {
    /// Notes that a user passed the first of two factors, and signs nobody in: [`user`](Self::user) is `None`,
    /// `Authenticated` refuses, the session is none of the user's list and takes no place under a cap. All there
    /// is is [`first_factor`](Self::first_factor), until [`complete_login`](Self::complete_login). So no cache of
    /// who is signed in can know the user too early (GHSA-xg6x-h9c9-2m83).
    ///
    /// The commit takes a new token and ends the session before, as [`login`](Self::login) does, also where
    /// somebody is signed in; for a step-up of those there is [`reauthenticate`](Self::reauthenticate). The new
    /// session ends after
    /// [ten minutes](crate::manager::SessionConfig::with_pending_timeout) by the store's clock, whatever the
    /// activity.
    ///
    /// Wrong codes are the application's to count, as in the example *and* for each user: whoever knows the
    /// password begins again as often as they like (NIST SP 800-63B-4, 3.2.2: a hundred at most).
    ///
    /// # Errors
    ///
    /// As [`login`](Self::login).
    pub fn login_pending(&self, login: impl Into<Login>) -> Result<()> {
        self.want_login("login_pending", Login { outstanding: true, ..login.into() })
    }

    /// Who passed the first factor, where the second is outstanding; of this request, too. Never anybody who is
    /// signed in.
    pub fn first_factor(&self) -> Option<FirstFactor> {
        let state = self.seen();
        match &state.intent {
            Some(Intent::Login(login)) if login.outstanding => {
                Some(FirstFactor { user: login.user.clone(), method: login.method.clone() })
            }
            Some(Intent::Login(_)) => None,
            _ => state.waiting().map(|waiting| FirstFactor { user: waiting.user, method: waiting.method }),
        }
    }

    /// Signs the user of the [`first_factor`](Self::first_factor) in, who passed the second: with a new token
    /// again, and with what [`login_pending`](Self::login_pending) was told of the device and whether to
    /// remember it. The keys that it was told to carry come along once more, and nothing else that was written
    /// meanwhile. `method` is the application's word for both factors.
    ///
    /// A cap of sessions counts here. If all sessions of the user were revoked since the first factor, so is this
    /// sign-in: 409, as for any session that ended.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotAuthenticated`] where no first factor is stored: nobody passed one, or its time is up.
    /// Otherwise as [`login`](Self::login).
    pub fn complete_login(&self, method: impl Into<String>) -> Result<()> {
        let waiting = self.seen().waiting().ok_or_else(|| {
            let text = "no first factor was passed, or its time is up: begin again with `login_pending`";
            Error::msg(ErrorKind::NotAuthenticated, text)
        })?;
        self.want_login("complete_login", waiting.complete(method.into()))
    }
}

impl State {
    /// The sign-in that the stored session waits with, unless something else becomes of it.
    fn waiting(&self) -> Option<Waiting> {
        if self.ending.is_some() || matches!(self.intent, Some(Intent::Login(_))) {
            return None;
        }
        Waiting::of(self.record.as_deref()?)
    }

    /// Who waits is none of the values that a `clear` removes.
    pub(super) fn keep_first_factor(&mut self) {
        let field = self.record.as_deref().and_then(|record| record.fields.get(FIELD));
        if let (Some(field), Ok(name)) = (field, FieldName::new(FIELD)) {
            let change = Change { write: Write::Set(field.value), watched: None, secret: false };
            self.delta.changes.insert(name, change);
        }
    }
}

/// The session that waits in place of the one that `create` would sign in. Nobody's, so that whoever reads the
/// store without knowing of second factors finds nobody signed in.
pub(super) fn awaiting_second(create: Create, login: &Login) -> Result<Create> {
    let began = create.listing().and_then(|listing| listing.began).unwrap_or_default();
    let waiting = Waiting {
        user: login.user.clone(),
        method: login.method.clone(),
        device: login.device.clone(),
        remembered: login.remembered,
        carry: match &login.carry {
            Carry::Keys(keys) => Some(keys.clone()),
            Carry::All => None,
        },
        began: began.get(),
    };
    let mut create = Create { sign_in: None, ..create };
    let change = Change { write: Write::Set(encode(FIELD, &waiting)?), watched: None, secret: false };
    create.delta.changes.insert(FieldName::new(FIELD)?, change);
    Ok(create)
}
