//! The move itself, one session at a time, when its owner next comes by.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use cloakroom::{
    error::Error,
    session::{Login, Saved, Session},
};
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
};

use crate::OLD_COOKIE;

/// Takes the old session of a request along, if it has one, and forgets it in the old store.
///
/// A request without an old cookie costs nothing here. Ours is stored before theirs is removed: whatever
/// fails in between, the visitor is still signed in, and the next request tries again.
pub async fn move_in<S: SessionStore + Clone>(
    State(old): State<S>,
    session: Session,
    request: Request,
    next: Next,
) -> Response {
    let Some(id) = old_id(request.headers()) else { return next.run(request).await };
    // Who has a session of ours has been here before, or signed out here: the old one is over either way.
    if session.is_new() && session.ended().is_none() {
        match old.load(&id).await {
            Ok(Some(record)) => match take_over(&session, record).await {
                Ok(Saved::Saved(_)) => {}
                Ok(_) => return next.run(request).await,
                Err(error) => return error.into_response(),
            },
            Ok(None) => {}
            // Better no answer than a signed-out one.
            Err(_) => {
                return (axum::http::StatusCode::SERVICE_UNAVAILABLE, "please try again\n").into_response();
            }
        }
    }
    let forgotten = old.delete(&id).await.is_ok();
    let mut response = next.run(request).await;
    if forgotten {
        response.headers_mut().append(header::SET_COOKIE, removal());
    }
    response
}

/// What is worth taking is up to the application. Here: every value, and who is signed in.
async fn take_over(session: &Session, record: Record) -> Result<Saved, Error> {
    let mut user = None;
    for (key, value) in &record.data {
        match (key.as_str(), value.as_str()) {
            ("user", Some(name)) => user = Some(name.to_owned()),
            _ => session.insert(key.as_str(), value)?,
        }
    }
    if let Some(user) = user {
        session.login(Login::user(user).by("moved").carry_all())?;
    }
    session.save().await
}

/// For a plain cookie; a signed or private one needs the key and tower-cookies.
fn old_id(headers: &HeaderMap) -> Option<Id> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut ours = pairs.filter(|(name, _)| *name == OLD_COOKIE);
    ours.next()?.1.parse().ok()
}

/// With the path (and the domain, if there is one) that the old layer has, or the browser keeps it.
fn removal() -> HeaderValue {
    HeaderValue::from_static("sid=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")
}
