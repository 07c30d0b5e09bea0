//! The handle that an application works with.
//!
//! A [`Session`] is loaded before the handler sees it, read and written without waiting, and committed
//! by the layer before the response head leaves. Nothing is stored, and no cookie is set, until
//! something is written.
//!
//! ```
//! use cloakroom::session::{Key, Session};
//!
//! // The name and the type of a value, written once.
//! const CART: Key<Vec<String>> = Key::new("cart");
//!
//! fn add(session: &Session, item: String) -> Result<usize, cloakroom::error::Error> {
//!     // `update` runs again on the newer value if another request changed the cart meanwhile.
//!     session.update(CART, move |cart| {
//!         let mut cart = cart.unwrap_or_default();
//!         cart.push(item.clone());
//!         cart
//!     })?;
//!     Ok(session.get(CART)?.unwrap_or_default().len())
//! }
//! ```
//!
//! # What the layer does with it
//!
//! | the handler | the layer |
//! |---|---|
//! | only reads | nothing more: loading has refreshed the idle timeout |
//! | writes | one commit of the changed keys, merged with what others changed meanwhile |
//! | [`login`](Session::login) | a new session with a new token; the old token is dead at once |
//! | [`login_pending`](Session::login_pending) | the same with nobody signed in, until the second factor is there |
//! | [`renew`](Session::renew) | the same session under a new token |
//! | [`logout`](Session::logout), [`destroy`](Session::destroy) | the session ends, whatever the response's status |
//! | answers 5xx | commits nothing but an end |
//! | panics, or the client hangs up before it answers | commits nothing |
//!
//! A handler that answers below 500 has done its work: what it wrote before it came to an error of its
//! own, such as a 413, is committed. [`reload`](Session::reload) drops what was not saved.
//!
//! To learn the outcome inside the handler, call [`save`](Session::save). What merges and what conflicts is on
//! [one page](crate::guide::promise).

mod address;
mod admin;
mod begin;
mod carry;
mod claim;
mod commit;
mod device;
mod factor;
mod facts;
mod grade;
mod handle;
mod key;
mod lifecycle;
mod limits;
mod live;
mod login;
mod operate;
mod replay;
mod replicated;
mod sessions;
mod settings;
mod state;
mod sweeper;
mod take;

pub use address::ListedAddress;
pub use admin::SessionAdmin;
pub(crate) use claim::Claim;
pub(crate) use commit::{Outcome, commit};
pub use factor::FirstFactor;
pub use grade::Grade;
pub use handle::{Saved, Session};
pub use key::Key;
pub use limits::Limits;
pub use login::Login;
pub use operate::{CounterKey, ListKey};
pub use replay::ReplayPolicy;
pub(crate) use settings::{Engine, Lifetime, Settings};
pub(crate) use state::CookieAction;
pub use sweeper::SessionSweeper;
