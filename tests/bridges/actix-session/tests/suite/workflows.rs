//! What visitors of an application on actix-session see. The facts are those of its acceptance suite.

use actix_session::config::{CookieContentSecurity, TtlExtensionPolicy};
use actix_web::cookie::time::Duration;

use crate::{
    backend::Backend,
    browser::{BOTH, LIFE, Site},
};

pub async fn a_visitor_without_values_gets_no_cookie(backend: Backend) {
    for security in BOTH {
        let site = Site::open(&backend, security).await;
        let page = site.visit(None, "/show").await;
        assert_eq!((page.status, page.cookie, &*page.text), (200, None, "nobody 0"));
    }
    assert!(backend.trail().is_empty());
}

pub async fn a_visitor_signs_in_and_out(backend: Backend) {
    for security in BOTH {
        let site = Site::open(&backend, security).await;
        let page = site.visit(None, "/count").await;
        let first = page.ticket();
        assert_eq!((&*page.text, first.max_age()), ("nobody 1", Some(LIFE)));
        // Reading sets no cookie, changing sets it again with the same key.
        let page = site.visit(Some(&first), "/show").await;
        assert_eq!((&*page.text, page.cookie), ("nobody 1", None));
        let page = site.visit(Some(&first), "/count").await;
        let again = page.ticket();
        assert_eq!((&*page.text, again.max_age()), ("nobody 2", first.max_age()));
        // Signing in takes a new key, and the old one is worth nothing.
        let page = site.visit(Some(&again), "/login/ferris").await;
        let third = page.ticket();
        assert_ne!(third.value(), again.value());
        assert_eq!(site.visit(Some(&third), "/count").await.text, "ferris 3");
        let page = site.visit(Some(&again), "/show").await;
        assert_eq!((&*page.text, page.cookie), ("nobody 0", None));
        // Signing out removes the cookie and the session.
        let page = site.visit(Some(&third), "/logout").await;
        assert_eq!(page.ticket().max_age(), Some(Duration::ZERO));
        assert_eq!(page.ticket().path(), Some("/"));
        assert_eq!(site.visit(Some(&third), "/show").await.text, "nobody 0");
    }
}

pub async fn a_guard_sees_the_session(backend: Backend) {
    for security in BOTH {
        let site = Site::open(&backend, security).await;
        assert_eq!(site.visit(None, "/private/show").await.status, 404);
        let ticket = site.visit(None, "/login/ferris").await.ticket();
        assert_eq!(site.visit(Some(&ticket), "/private/show").await.text, "ferris 0");
    }
}

pub async fn a_change_refreshes_the_lifetime(backend: Backend) {
    let site = Site::open(&backend, CookieContentSecurity::Signed).await;
    let ticket = site.visit(None, "/count").await.ticket();
    backend.age(50_000);
    site.visit(Some(&ticket), "/show").await;
    assert!(backend.ttl().is_none_or(|ttl| ttl <= 50_000), "reading does not");
    assert!(site.visit(Some(&ticket), "/count").await.cookie.is_some());
    assert!(backend.ttl().is_none_or(|ttl| ttl > 90_000), "changing does");
}

pub async fn every_request_refreshes_the_lifetime_if_told_to(backend: Backend) {
    for security in BOTH {
        let site = Site::with(&backend, security, TtlExtensionPolicy::OnEveryRequest).await;
        let ticket = site.visit(None, "/count").await.ticket();
        let entries = backend.trail().len();
        backend.age(50_000);
        // With a lifetime of its own, the cookie is sent again, too.
        let page = site.visit(Some(&ticket), "/show").await;
        assert_eq!(page.ticket().max_age(), Some(LIFE));
        assert!(backend.ttl().is_none_or(|ttl| ttl > 90_000));
        assert_eq!(backend.trail().len(), entries, "that is no change");
        site.visit(Some(&ticket), "/logout").await;
    }
}

pub async fn an_unknown_key_is_not_adopted(backend: Backend) {
    let site = Site::open(&backend, CookieContentSecurity::Private).await;
    let ticket = site.visit(None, "/count").await.ticket();
    site.visit(Some(&ticket), "/logout").await;
    let page = site.visit(Some(&ticket), "/count").await;
    assert_eq!((page.status, &*page.text), (200, "nobody 1"));
    assert_ne!(page.ticket().value(), ticket.value());
    assert_eq!(site.visit(Some(&ticket), "/show").await.text, "nobody 0");
}

/// Their own Redis store answers 200 here, and the session is back under a new key.
pub async fn a_request_that_spans_a_logout_is_refused(backend: Backend) {
    for security in BOTH {
        let site = Site::open(&backend, security).await;
        let ticket = site.visit(None, "/login/ferris").await.ticket();
        let page = site.visit(Some(&ticket), "/slow").await;
        assert_eq!((page.status, page.cookie), (500, None));
        assert_eq!(site.visit(Some(&ticket), "/show").await.text, "nobody 0");
    }
}
