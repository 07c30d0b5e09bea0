//! Writes when the head has left.

use crate::{
    app::App,
    line::{Kind, Line, ask},
};

const KINDS: [Kind; 2] = [Kind::Stream, Kind::Socket];

#[tokio::test(flavor = "multi_thread")]
async fn the_requests_own_handle_says_that_nobody_will_commit() {
    let app = App::start().await;
    for kind in KINDS {
        let (cookie, _) = ask(&app, "POST", "/count", None).await;
        let cookie = cookie.unwrap();
        let (mut line, issued) = Line::open(kind, &app, Some(&cookie)).await;
        assert_eq!(issued, None);
        // Before the head it was committed; after it everything is refused, and nothing happens.
        assert_eq!(line.order("write").await, "AfterCommit", "{kind:?}");
        assert_eq!(line.order("save").await, "saved 2", "{kind:?}");
        assert_eq!(ask(&app, "GET", "/read", Some(&cookie)).await, (None, "1".to_owned()), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_handle_saves_by_itself() {
    let app = App::start().await;
    for kind in KINDS {
        let (cookie, _) = ask(&app, "POST", "/count", None).await;
        let cookie = cookie.unwrap();
        let (mut line, _) = Line::open(kind, &app, Some(&cookie)).await;
        // Version 2 is what the handler wrote before the head left.
        assert_eq!(line.order("count").await, "saved 3", "{kind:?}");
        assert_eq!(ask(&app, "POST", "/count", Some(&cookie)).await, (None, "3".to_owned()), "{kind:?}");
        // Another request was faster: it counts from there.
        assert_eq!(line.order("count").await, "saved 5", "{kind:?}");
        assert_eq!(line.order("read").await, "4", "{kind:?}");
        assert_eq!(ask(&app, "GET", "/read", Some(&cookie)).await.1, "4", "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_logout_elsewhere_it_says_gone_and_revives_nothing() {
    let app = App::start().await;
    for kind in KINDS {
        let (cookie, _) = ask(&app, "POST", "/count", None).await;
        let cookie = cookie.unwrap();
        let (mut line, _) = Line::open(kind, &app, Some(&cookie)).await;
        assert_eq!(line.order("count").await, "saved 3", "{kind:?}");
        ask(&app, "POST", "/logout", Some(&cookie)).await;
        for _ in 0..3 {
            // Again and again: there is no head that could carry the cookie of a new session.
            assert_eq!(line.order("count").await, "gone logged_out", "{kind:?}");
            assert_eq!(app.sessions(), 0, "{kind:?}");
        }
        assert_eq!(line.order("write").await, "AfterCommit", "{kind:?}");
        assert_eq!(ask(&app, "GET", "/read", Some(&cookie)).await, (None, "0".to_owned()), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_there_ends_the_session_everywhere() {
    let app = App::start().await;
    for kind in KINDS {
        let (cookie, _) = ask(&app, "POST", "/count", None).await;
        let cookie = cookie.unwrap();
        let (mut line, _) = Line::open(kind, &app, Some(&cookie)).await;
        assert_eq!(line.order("log out").await, "saved 0", "{kind:?}");
        assert_eq!(app.sessions(), 0, "{kind:?}");
        assert_eq!(ask(&app, "GET", "/read", Some(&cookie)).await, (None, "0".to_owned()), "{kind:?}");
    }
}
