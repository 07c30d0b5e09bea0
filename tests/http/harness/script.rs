//! What the handler does: the steps that a test sends in the request's body.
//!
//! `read cart; write cart 3; status 500` are three steps. The answer's body is a JSON array with one
//! element for each step that has something to tell.

use std::time::Duration;

use cloakroom::{
    error::{Error, ErrorKind},
    session::{Key, Login, Saved, Session},
    store::{Policy, Revoked},
};
use http::{HeaderName, HeaderValue, Response};
use serde_json::{Value, json};

use super::gate::Gate;

/// What the handler answers.
pub(super) struct Output {
    status: u16,
    headers: Vec<(HeaderName, HeaderValue)>,
    told: Vec<Value>,
}

impl Output {
    pub(super) fn into_response(self) -> Response<Vec<u8>> {
        let mut response = Response::new(serde_json::to_vec(&self.told).unwrap());
        *response.status_mut() = self.status.try_into().unwrap();
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

pub(super) async fn run(steps: &str, session: Option<&Session>, gate: Option<Gate>) -> Result<Output, Error> {
    let mut output = Output { status: 200, headers: Vec::new(), told: Vec::new() };
    for step in steps.split(';').map(str::trim).filter(|step| !step.is_empty()) {
        let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
        let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
        match verb {
            "status" => output.status = rest.parse().unwrap(),
            "header" => output.headers.push((first.parse().unwrap(), second.parse().unwrap())),
            "hold" => gate.as_ref().expect("a request with a gate").pass().await,
            "yield" => tokio::task::yield_now().await,
            "panic" => panic!("the handler panics, as the test asked for"),
            _ => {
                let session = session.expect("a route with a session");
                output.told.extend(act(session, verb, first, second).await?);
            }
        }
    }
    Ok(output)
}

async fn act(session: &Session, verb: &str, first: &str, second: &str) -> Result<Option<Value>, Error> {
    Ok(Some(match verb {
        "read" => json!(session.get::<Value>(first)?),
        "number" => match session.get::<u64>(first) {
            Err(error) if error.kind() == ErrorKind::Decode => json!("not a number"),
            other => json!(other?),
        },
        "contains" => json!(session.contains(first)?),
        "keys" => session.keys()?.iter().map(ToString::to_string).collect(),
        "user" => json!(session.user()),
        "method" => json!(session.authentication().and_then(|authentication| authentication.method)),
        "grade" => json!(session.grade().map(|grade| format!("{grade:?}").to_lowercase())),
        "full" => json!(session.is_fully_authenticated()),
        "fresh" => json!(session.is_fresh(Duration::from_secs(first.parse().unwrap()))),
        "first" => json!(session.first_factor().map(|first| [Some(first.user), first.method])),
        "new" => json!(session.is_new()),
        "version" => json!(session.version().map(|version| version.get())),
        "expires" => json!(session.expires_in().as_ref().map(Duration::as_millis)),
        "sessions" => json!(session.sessions().await?),
        "revoke" => told(session.revoke(first).await?),
        "revoke-others" => told(session.revoke_others().await?),
        "revoke-all" => told(session.revoke_all().await?),
        "take" => json!(session.take::<Value>(first).await?),
        "ended" => json!(session.ended().map(|ended| ended.reason.as_str())),
        "ended-device" => json!(session.ended().and_then(|ended| ended.device)),
        "save" => saved(session).await?,
        // What a handle of its own is refused.
        "apart-refused" => {
            let apart = session.detach();
            let refused = match first {
                "login" => apart.login("mallory"),
                "renew" => apart.renew(),
                "prove" => apart.reauthenticate("otp"),
                "pending" => apart.login_pending("mallory"),
                "complete" => apart.complete_login("otp"),
                "write" => {
                    apart.insert("a", &1)?;
                    apart.save().await.map(drop)
                }
                other => panic!("{other:?}"),
            };
            json!(refused.err().map(|error| format!("{:?}", error.kind())))
        }
        "apart" => {
            let apart = session.detach();
            for name in first.split(',') {
                apart.insert(name, &serde_json::from_str::<Value>(second).unwrap())?;
            }
            saved(&apart).await?
        }
        _ => {
            change(session, verb, first, second).await?;
            return Ok(None);
        }
    }))
}

async fn saved(session: &Session) -> Result<Value, Error> {
    Ok(match session.save().await? {
        Saved::Saved(version) => json!(version.map(|version| version.get())),
        Saved::Conflict(keys) => json!({ "conflict": keys }),
        Saved::Gone(ended) => json!({ "gone": ended.reason.as_str() }),
        Saved::Rejected => json!("rejected"),
    })
}

async fn change(session: &Session, verb: &str, first: &str, second: &str) -> Result<(), Error> {
    match verb {
        "write" => session.insert(first, &serde_json::from_str::<Value>(second).unwrap()),
        "fill" => session.insert(first, &"x".repeat(second.parse().unwrap())),
        "many" => {
            (0..second.parse().unwrap()).try_for_each(|n: u32| session.insert(&*format!("{first}{n}"), &n))
        }
        "remove" => session.remove(first),
        "clear" => session.clear(),
        "inc" => session.increment(first, second.parse().unwrap()),
        "max" => session.max(first, second.parse().unwrap()),
        // The last three stay.
        "push" => session.push_capped(first, &serde_json::from_str::<Value>(second).unwrap(), 3),
        "add" => session.set_add(first, &serde_json::from_str::<Value>(second).unwrap()),
        "discard" => session.set_remove(first, &serde_json::from_str::<Value>(second).unwrap()),
        "policy" => {
            session.set_policy(policy(first));
            Ok(())
        }
        // A key whose declaration says what wins: `strict seat 3`.
        "merge" | "strict" | "last" => {
            let key = Key::dynamic(first).with_policy(policy(verb));
            session.insert(key, &serde_json::from_str::<Value>(second).unwrap())
        }
        "prove" => session.reauthenticate(first),
        "count" => session.update(first, |count: Option<u64>| count.unwrap_or(0) + 1),
        "login" => session.login(login(first, second)),
        "remember" => session.login(login(first, second).remembered()),
        "pending" => session.login_pending(login(first, second)),
        "pending-remember" => session.login_pending(login(first, second).remembered()),
        "complete" => session.complete_login(first),
        "sign-in" => session.login(first),
        "renew" => session.renew(),
        "logout" => session.logout(),
        "destroy" => session.destroy(),
        "reload" => session.reload().await,
        _ => panic!("no such step: {verb}"),
    }
}

fn login(user: &str, carry: &str) -> Login {
    let login = Login::user(user).by("password").device("a browser");
    match carry {
        "" => login,
        "*" => login.carry_all(),
        keys => login.carry(keys.split(',')),
    }
}

fn told(revoked: Revoked) -> Value {
    match revoked {
        Revoked::Revoked(count) => json!(count),
        Revoked::NotFound => json!("not found"),
        Revoked::Gone => json!("gone"),
    }
}

fn policy(word: &str) -> Policy {
    match word {
        "merge" => Policy::Merge,
        "strict" => Policy::Strict,
        "last" => Policy::LastWriteWins,
        _ => panic!("no such policy: {word}"),
    }
}
