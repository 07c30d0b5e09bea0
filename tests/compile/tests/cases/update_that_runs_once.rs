//! `update` may run its closure again on a newer value, later and elsewhere.

use cloakroom::session::Session;

fn add(session: &Session, item: String, count: &u64) {
    let _ = session.update("items", move |_: Option<String>| item);
    let step = 1;
    let _ = session.update("count", |old: Option<u64>| old.unwrap_or(0) + step);
    let _ = session.update("count", move |old: Option<u64>| old.unwrap_or(0) + *count);
}

fn main() {}
