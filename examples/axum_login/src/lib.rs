//! One small application twice: [`theirs`] is built with axum-login, and only its store is ours;
//! [`ours`] does the same with this crate alone.
//!
//! Both have `POST /sign-in` (a form with `name` and `password`), `GET /account` and `POST /sign-out`.

pub mod ours;
pub mod theirs;

/// Whether this is the password. A real application asks a table of password hashes.
fn knows(name: &str, password: &str) -> bool {
    name == "alice" && password == "wonderland"
}

/// The form of `POST /sign-in`.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Credentials {
    name: String,
    password: String,
}
