//! Server-side sessions for Rust web services.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod audit;
pub mod clock;
pub mod cookie;
pub mod error;
pub mod id;
pub mod manager;
pub mod record;
pub mod service;
pub mod session;
pub mod store;

#[cfg(feature = "actix")]
#[path = "../integrations/actix/mod.rs"]
pub mod actix;
#[cfg(feature = "axum")]
#[path = "../integrations/axum/mod.rs"]
pub mod axum;
