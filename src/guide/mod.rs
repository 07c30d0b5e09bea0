//! Pages to read: what this crate promises.

#[doc = include_str!("promise.md")]
pub mod promise {}
