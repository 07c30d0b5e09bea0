//! Nobody is signed in but by `login`, which takes a new token.

use cloakroom::session::Session;

fn impersonate(session: &Session) {
    session.sign_in("admin");
}

fn main() {}
