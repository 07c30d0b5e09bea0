//! A value that serde knows nothing of.

use cloakroom::session::Session;

struct Cart {
    items: Vec<String>,
}

fn add(session: &Session, item: String) {
    let _ = session.insert("cart", &Cart { items: vec![item] });
}

fn main() {}
