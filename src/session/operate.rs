//! Changes that the store works out on the value it holds: they never conflict.

use std::{
    borrow::Borrow,
    collections::{BTreeSet, HashSet, VecDeque},
};

use serde::Serialize;

use super::{Key, Session, handle::encode};
use crate::{error::Result, record::Operation};

/// # Operations
///
/// Each is one of the commit's changes and costs no round trip of its own. It is applied to the value that the
/// store holds at that moment, so parallel requests lose nothing and none of them is told of a conflict, whatever
/// the policy. Until then a handler sees what it would come to on the loaded value; after
/// [`save`](Session::save), what it came to.
///
/// ```
/// use cloakroom::session::{Key, Session};
///
/// const VISITS: Key<u64> = Key::new("visits");
/// const RECENT: Key<Vec<String>> = Key::new("recent");
///
/// fn seen(session: &Session, page: &str) -> Result<(), cloakroom::error::Error> {
///     session.increment(VISITS, 1)?;
///     // The last ten.
///     session.push_capped(RECENT, page, 10)
/// }
/// ```
impl Session {
    /// Adds to a whole number; where there is none, to 0.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotApplicable`](crate::error::ErrorKind::NotApplicable) if there is another value, or the sum
    /// leaves ±(2^53 − 1), beyond which JSON readers disagree. If another request puts such a value there
    /// meanwhile, the commit is a conflict.
    pub fn increment(&self, key: impl CounterKey, by: i64) -> Result<()> {
        self.operate(&key.into_key(), Operation::Increment(by))
    }

    /// Raises a whole number to `at_least`, if it is less or not there.
    ///
    /// # Errors
    ///
    /// As [`increment`](Self::increment).
    pub fn max(&self, key: impl CounterKey, at_least: i64) -> Result<()> {
        self.operate(&key.into_key(), Operation::Max(at_least))
    }

    /// Puts an element at the end of a list and drops the first ones, so that `cap` stay at most.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotApplicable`](crate::error::ErrorKind::NotApplicable) if there is another value than a
    /// list; as [`insert`](Self::insert) otherwise.
    pub fn push_capped<Q>(&self, key: impl ListKey<Q>, element: &Q, cap: u32) -> Result<()>
    where
        Q: Serialize + ?Sized,
    {
        let key = key.into_key();
        let element = encode(key.name(), element)?;
        self.operate(&key, Operation::Push { element, cap })
    }

    /// Puts an element into a set, unless it is there. Elements are the same if their JSON is.
    ///
    /// # Errors
    ///
    /// As [`push_capped`](Self::push_capped).
    pub fn set_add<Q>(&self, key: impl ListKey<Q>, element: &Q) -> Result<()>
    where
        Q: Serialize + ?Sized,
    {
        let key = key.into_key();
        let element = encode(key.name(), element)?;
        self.operate(&key, Operation::Add(element))
    }

    /// Takes an element out of a set. Where there is no set, nothing is changed and nothing committed.
    ///
    /// # Errors
    ///
    /// As [`push_capped`](Self::push_capped).
    pub fn set_remove<Q>(&self, key: impl ListKey<Q>, element: &Q) -> Result<()>
    where
        Q: Serialize + ?Sized,
    {
        let key = key.into_key();
        let element = encode(key.name(), element)?;
        self.operate(&key, Operation::Discard(element))
    }

    fn operate(&self, key: &Key<()>, operation: Operation) -> Result<()> {
        let target = key.target()?;
        let limits = &self.inner.engine.settings.limits;
        self.state().open_to_write()?.operate(target, operation, limits)
    }
}

/// The key of a whole number: a [`Key`] of an integer, or a name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no key of a whole number",
    label = "take a `&str` or a `Key` of `i64`, `u64`, `i32` or `u32`"
)]
pub trait CounterKey {
    /// The key, whatever its type.
    fn into_key(self) -> Key<()>;
}

/// The key of a list or a set of `Q`, or of what borrows as one: a [`Key`] of a `Vec`, `VecDeque`, `BTreeSet` or `HashSet`, or a name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no key of a list of `{Q}`",
    label = "take a `&str` or a `Key` of a `Vec`, `VecDeque`, `BTreeSet` or `HashSet` of that"
)]
pub trait ListKey<Q: ?Sized> {
    /// The key, whatever its type.
    fn into_key(self) -> Key<()>;
}

impl CounterKey for &str {
    fn into_key(self) -> Key<()> {
        Key::dynamic(self)
    }
}

macro_rules! counters {
    ($($integer:ty),*) => {
        $(impl CounterKey for Key<$integer> {
            fn into_key(self) -> Key<()> {
                self.untyped()
            }
        })*
    };
}

counters!(i64, u64, i32, u32);

impl<Q: ?Sized> ListKey<Q> for &str {
    fn into_key(self) -> Key<()> {
        Key::dynamic(self)
    }
}

macro_rules! lists {
    ($($list:ty),*) => {
        $(impl<E: Borrow<Q>, Q: ?Sized> ListKey<Q> for Key<$list> {
            fn into_key(self) -> Key<()> {
                self.untyped()
            }
        })*
    };
}

lists!(Vec<E>, VecDeque<E>, BTreeSet<E>, HashSet<E>);
