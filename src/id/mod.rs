//! Who a session is: the [`Token`] that the client holds, the [`SessionRef`] that everybody else may
//! see, the [`SessionHandle`] by which its user names it, the [`Shard`] where it lives, and the [`EventId`]
//! that names one change.
//!
//! ```text
//! token  256 bits, in the cookie only            ──SHA-256("ref" ‖ ·)──▶  ref
//! ref    32 bytes, in logs, events and the trail ──SHA-256 or HMAC────▶  key hash
//! ```
//!
//! From a ref or a key hash no session opens: the way goes in one direction only.

mod address;
mod event;
mod handle;
mod reference;
mod shard;
mod spelled;
mod token;

pub use address::Address;
pub use event::EventId;
pub use handle::SessionHandle;
pub use reference::SessionRef;
pub use shard::{Shard, ShardCount};
#[cfg(feature = "redis")]
pub(crate) use spelled::Spelled;
pub(crate) use token::system_random;
pub use token::{IdleClass, Token};
