//! A store whose making can fail, and a URL in the place of a store.

use cloakroom::{error::Error, service::SessionLayer, store::MemoryStore};

fn connect() -> Result<MemoryStore, Error> {
    Ok(MemoryStore::new())
}

fn main() {
    SessionLayer::new(connect());
    SessionLayer::new("redis://127.0.0.1");
}
