//! The application: each request does one operation, and its body is what the handler saw.

use std::{collections::BTreeMap, convert::Infallible, pin::Pin, sync::Arc};

use cloakroom::{
    error::Result,
    id::Token,
    service::SessionLayer,
    session::{Login, Saved, Session},
    store::RedisStore,
};
use http::{Request, Response, header};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::history::Clock;

/// What a request does. Whatever changes a session also writes its own number under `mark`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Reads everything.
    Look,
    /// Writes without looking.
    Set(&'static str),
    /// Reads, and writes what it made of it.
    ReadSet(&'static str),
    /// Counts `n` up.
    Add,
    Renew,
    Login,
    Logout,
}

/// What happens while the handler is at work, between its reading and its writing.
pub type Meanwhile = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// One request.
#[derive(Clone)]
pub struct Ask {
    pub id: u64,
    pub act: Act,
    pub meanwhile: Option<Meanwhile>,
    pub clock: Clock,
}

pub type Fields = BTreeMap<String, u64>;

/// A session as a handler saw it.
#[derive(Clone, Debug)]
pub struct View {
    pub reference: String,
    pub version: u64,
    pub user: Option<String>,
    /// Where everything was read.
    pub fields: Option<Fields>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// There is no answer, or none that says what happened.
    #[default]
    Unknown,
    /// Nothing was to be stored.
    Looked,
    Saved(Option<u64>),
    Conflict,
    Gone,
    /// The old token of a renewal can't do this.
    Refused,
}

#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub before: Option<View>,
    /// What `ReadSet` read.
    pub read: Option<u64>,
    /// When it began to save.
    pub saving: u64,
    pub outcome: Outcome,
    pub after: Option<View>,
}

/// What the client gets.
pub struct Answer {
    pub status: u16,
    pub issued: Option<String>,
    pub removed: bool,
    pub seen: Seen,
}

/// One process of the application.
#[derive(Clone)]
pub struct App(SessionLayer);

const NAME: &str = "__Host-Http-id";

impl App {
    pub fn new(store: RedisStore) -> Self {
        Self(SessionLayer::new(store))
    }

    pub async fn call(&self, token: Option<&str>, ask: Ask) -> Answer {
        let mut request = Request::post("/");
        if let Some(token) = token {
            request = request.header(header::COOKIE, format!("{NAME}={token}"));
        }
        let mut request = request.body(()).unwrap();
        request.extensions_mut().insert(ask);
        let service = self.0.layer(service_fn(handle));
        let response = service.oneshot(request).await.unwrap();
        let line = response.headers().get(header::SET_COOKIE).map(|line| line.to_str().unwrap().to_owned());
        let value = line.as_deref().map(|line| line.split(['=', ';']).nth(1).unwrap().to_owned());
        Answer {
            status: response.status().as_u16(),
            removed: value.as_deref() == Some(""),
            issued: value.filter(|value| !value.is_empty()),
            seen: response.into_body(),
        }
    }
}

/// The public name of the session that a token opens.
pub fn reference(token: &str) -> String {
    Token::parse(token.as_bytes()).expect("a token").address().reference.to_string()
}

async fn handle(request: Request<()>) -> Result<Response<Seen>, Infallible> {
    let session = request.extensions().get::<Session>().unwrap().clone();
    let ask = request.extensions().get::<Ask>().unwrap().clone();
    let mut seen = Seen::default();
    let mut response = Response::new(());
    // What went wrong is the layer's to answer; the record says that nobody knows.
    if act(&session, &ask, &mut seen).await.is_err() {
        seen.outcome = Outcome::Unknown;
        *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response.map(|()| seen))
}

async fn act(session: &Session, ask: &Ask, seen: &mut Seen) -> Result<()> {
    seen.before = view(session, ask.act == Act::Look)?;
    if let Act::ReadSet(key) = ask.act {
        seen.read = session.get(key)?;
    }
    if let Some(meanwhile) = &ask.meanwhile {
        meanwhile().await;
    }
    let asked = match ask.act {
        Act::Look => {
            seen.outcome = Outcome::Looked;
            return Ok(());
        }
        Act::Set(key) | Act::ReadSet(key) => session.insert(key, &ask.id),
        Act::Add => session.update("n", |n: Option<u64>| n.unwrap_or(0) + 1),
        Act::Renew => session.renew(),
        Act::Login => session.login(Login::user(format!("user-{}", ask.id)).carry_all()),
        Act::Logout => session.logout(),
    };
    if asked.is_err() {
        seen.outcome = Outcome::Refused;
        return Ok(());
    }
    if ask.act != Act::Logout {
        session.insert("mark", &ask.id)?;
    }
    seen.saving = ask.clock.tick();
    seen.outcome = match session.save().await? {
        Saved::Saved(version) => Outcome::Saved(version.map(|version| version.get())),
        Saved::Conflict(_) => Outcome::Conflict,
        Saved::Gone(_) => Outcome::Gone,
        Saved::Rejected => panic!("there is no cap here"),
    };
    if seen.outcome == Outcome::Conflict {
        // Otherwise the layer would try once more, with a chance to succeed that nobody would know of.
        session.reload().await?;
    } else {
        seen.after = view(session, true)?;
    }
    Ok(())
}

fn view(session: &Session, everything: bool) -> Result<Option<View>> {
    let (Some(reference), Some(version)) = (session.reference(), session.version()) else { return Ok(None) };
    let fields = match everything {
        false => None,
        true => {
            let names = session.keys()?;
            let read = |name: &cloakroom::record::FieldName| {
                let name = name.as_str();
                Ok((name.to_owned(), session.get(name)?.expect("a key that is listed")))
            };
            Some(names.iter().map(read).collect::<Result<Fields>>()?)
        }
    };
    Ok(Some(View { reference: reference.to_string(), version: version.get(), user: session.user(), fields }))
}
