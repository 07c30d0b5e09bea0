//! The application under test, the stores it runs on, and the client that talks to it.

mod actix_app;
mod actix_thread;
mod adapter;
mod answer;
mod axum_app;
mod gate;
mod instance;
mod script;
mod setup;
mod store;
mod tower_app;
mod wait;
mod world;

pub(crate) use adapter::{Adapter, App};
pub(crate) use answer::Answer;
pub(crate) use gate::Gate;
#[allow(unused_imports, reason = "for the model")]
pub(crate) use instance::Held;
pub(crate) use instance::{Instance, NAME, NOBODY, request};
pub(crate) use setup::{Backend, Setup};
pub(crate) use store::AnyStore;
pub(crate) use wait::until;
pub(crate) use world::World;
