//! What visitors of an application on tower-sessions see. The facts are those of its own suite.

use time::Duration;
use tower_sessions::Expiry;

use crate::{
    backend::Backend,
    browser::{app, visit},
};

const HOUR: Option<Expiry> = Some(Expiry::OnInactivity(Duration::HOUR));

pub async fn nothing_is_stored_until_something_is_written(backend: Backend) {
    let app = app(&backend, HOUR);
    let page = visit(&app, "", "/idle").await;
    assert_eq!((page.status, page.cookie), (200, None));
    assert_eq!(visit(&app, "", "/show/a").await.text, "null");
    assert!(backend.trail().is_empty());
}

pub async fn an_unknown_id_is_not_adopted(backend: Backend) {
    let app = app(&backend, HOUR);
    let bogus = "id=AAAAAAAAAAAAAAAAAAAAAA";
    let page = visit(&app, bogus, "/put/a/1").await;
    assert_eq!(page.status, 200);
    assert_ne!(page.pair(), bogus);
    assert_eq!(visit(&app, bogus, "/show/a").await.text, "null");
}

pub async fn a_malformed_cookie_is_replaced(backend: Backend) {
    let app = app(&backend, HOUR);
    let page = visit(&app, "id=malformed", "/idle").await;
    assert_eq!((page.status, page.pair()), (200, "id=".to_owned()));
    assert_ne!(visit(&app, "id=malformed", "/put/a/1").await.pair(), "id=malformed");
}

pub async fn the_cookie_has_the_layers_attributes(backend: Backend) {
    for (expiry, max_age) in [(HOUR, 3590..=3600), (None, 0..=0)] {
        let page = visit(&app(&backend, expiry), "", "/put/a/1").await;
        let line = page.cookie.clone().unwrap();
        for part in ["id=", "; HttpOnly", "; SameSite=Strict", "; Secure", "; Path=/"] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert_eq!(page.max_age().is_some(), expiry.is_some());
        assert!(max_age.contains(&page.max_age().unwrap_or(0)), "{line}");
    }
}

pub async fn a_value_comes_back(backend: Backend) {
    let app = app(&backend, HOUR);
    let cookie = visit(&app, "", "/put/a/42").await.pair();
    assert_eq!(visit(&app, &cookie, "/show/a").await.text, "42");
    visit(&app, &cookie, "/put/b/7").await;
    assert_eq!(visit(&app, &cookie, "/show/a").await.text, "42");
    assert_eq!(visit(&app, &cookie, "/show/b").await.text, "7");
}

pub async fn the_last_value_can_be_removed(backend: Backend) {
    let app = app(&backend, HOUR);
    let cookie = visit(&app, "", "/put/a/42").await.pair();
    assert_eq!(visit(&app, &cookie, "/take/a").await.status, 200);
    assert_eq!(visit(&app, &cookie, "/show/a").await.text, "null");
}

pub async fn a_new_id_keeps_the_data_and_kills_the_old_id(backend: Backend) {
    let app = app(&backend, HOUR);
    let first = visit(&app, "", "/put/a/42").await.pair();
    let second = visit(&app, &first, "/new-id").await.pair();
    assert_ne!(first, second);
    assert_eq!(visit(&app, &second, "/show/a").await.text, "42");
    assert_eq!(visit(&app, &first, "/show/a").await.text, "null");
}

pub async fn a_flush_removes_the_cookie_and_the_session(backend: Backend) {
    let app = app(&backend, HOUR);
    let cookie = visit(&app, "", "/put/a/42").await.pair();
    let page = visit(&app, &cookie, "/flush").await;
    assert_eq!((page.pair(), page.max_age()), ("id=".to_owned(), Some(0)));
    assert_eq!(visit(&app, &cookie, "/show/a").await.text, "null");
}

pub async fn the_expiry_can_be_changed_and_removed(backend: Backend) {
    for expiry in [HOUR, None] {
        let app = app(&backend, expiry);
        let cookie = visit(&app, "", "/put/a/42").await.pair();
        // Their layer saves what was modified, and a changed expiry is a modification.
        let age = visit(&app, &cookie, "/for-a-day").await.max_age().unwrap();
        assert!((86_390..=86_400).contains(&age), "{age}");
        assert_eq!(visit(&app, &cookie, "/for-the-browser-session").await.max_age(), None);
        assert_eq!(visit(&app, &cookie, "/show/a").await.text, "42");
    }
}
