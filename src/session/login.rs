//! Who signs in, and what comes along.

use super::key::is_reserved;
use crate::{id::IdleClass, store::Generation};

/// A sign-in, for [`Session::login`](super::Session::login). A plain user id is one, too.
///
/// Nothing of the session before is carried over unless it is named here: what a visitor left in an
/// anonymous session must not decide anything for the user who signs in (OWASP WSTG-SESS-08,
/// CVE-2022-24895).
///
/// ```
/// use cloakroom::session::Login;
///
/// let login = Login::user("alice").by("passkey").carry(["cart"]);
/// ```
#[derive(Clone, Debug)]
pub struct Login {
    pub(super) user: String,
    pub(super) method: Option<String>,
    pub(super) device: Option<String>,
    pub(super) carry: Carry,
    pub(super) remembered: bool,
    /// A second factor is still to come: this signs nobody in.
    pub(super) outstanding: bool,
    /// When it began, where that was with a first factor in an earlier request.
    pub(super) began: Option<Generation>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Carry {
    Keys(Vec<String>),
    All,
}

impl Carry {
    pub(super) fn takes(&self, name: &str) -> bool {
        match self {
            // Ours are of one session, and its alone.
            _ if is_reserved(name) => false,
            Self::Keys(keys) => keys.iter().any(|key| key == name),
            Self::All => true,
        }
    }
}

impl Carry {
    /// What is left when both have taken their part.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, carry) | (carry, Self::All) => carry,
            (Self::Keys(mut keys), Self::Keys(others)) => {
                keys.retain(|key| others.contains(key));
                Self::Keys(keys)
            }
        }
    }
}

impl Login {
    /// The application's id of the user. It is hashed before it becomes part of any Redis key.
    pub fn user(user: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            method: None,
            device: None,
            carry: Carry::Keys(Vec::new()),
            remembered: false,
            outstanding: false,
            began: None,
        }
    }

    /// Keeps the user signed in over the end of the browser ("remember me", which the user has to ask for): the
    /// cookie gets a `Max-Age`, and the session has the
    /// [timeouts](crate::manager::SessionConfig::with_remembered_timeouts) of a remembered one. It is of a
    /// [lower grade](super::Grade::Remembered) for it: whoever sits down at that device weeks later has it, too.
    ///
    /// NIST SP 800-63B-4, 5.1.1 and the OWASP cheat sheet ask for cookies that are gone with the browser, which
    /// is the default; so take this for what may be done at AAL1, and
    /// [`is_fully_authenticated`](super::Session::is_fully_authenticated) for all else.
    #[must_use]
    pub fn remembered(mut self) -> Self {
        self.remembered = true;
        self
    }

    /// The kind of the session that it makes.
    pub(super) fn class(&self) -> IdleClass {
        match (self.outstanding, self.remembered) {
            (true, _) => IdleClass::PENDING,
            (_, true) => IdleClass::REMEMBERED,
            _ => IdleClass::default(),
        }
    }

    /// How the user proved it: the application's own word, for the trail and for step-up checks.
    #[must_use]
    pub fn by(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// What to call the device in lists and tombstones. Default: browser and system, such as `Firefox on
    /// Windows`, where the `User-Agent` header names ones that are widely known.
    #[must_use]
    pub fn device(mut self, label: impl Into<String>) -> Self {
        self.device = Some(label.into());
        self
    }

    /// The keys that come along from the session before. Default: none.
    #[must_use]
    pub fn carry<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.carry = Carry::Keys(keys.into_iter().map(Into::into).collect());
        self
    }

    /// Every key comes along. Mind what a visitor may have put there.
    #[must_use]
    pub fn carry_all(mut self) -> Self {
        self.carry = Carry::All;
        self
    }
}

impl<T: Into<String>> From<T> for Login {
    fn from(user: T) -> Self {
        Self::user(user)
    }
}
