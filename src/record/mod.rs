//! What a session is: its [`Record`] as loaded, the [`Delta`] that a request makes of it, and the
//! rules by which a delta meets a record that changed meanwhile.
//!
//! Pure data and pure functions. [`MemoryStore`](crate::store::MemoryStore) runs the rules itself;
//! `RedisStore` has the same rules in its commit script, and one suite
//! holds both to them.

mod delta;
mod field;
mod fields;
mod history;
mod image;
mod info;
pub(crate) mod merge;
mod operation;
pub(crate) mod packed;
mod state;

pub use delta::{Change, Delta, Write};
pub use field::{Field, FieldName, Json};
pub use fields::Fields;
pub use history::History;
pub(crate) use history::Relation;
pub use image::Image;
pub use info::SessionInfo;
pub use operation::{NotApplicable, Operation};
pub use state::{Authentication, Base, EndReason, Ended, Record, Version};
