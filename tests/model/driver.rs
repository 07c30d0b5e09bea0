//! Runs a program in the application and in the model, and compares.

use std::collections::HashMap;

use serde_json::Value;

use crate::{
    harness::{Answer, Instance, NOBODY, World},
    meta::set_deadline,
    model::{Model, Reason, Token},
    program::{CLIENTS, Meddling, Op, Step, Visit, script},
    request::{Cookie, Request, Told},
};

type Verdict = Result<(), String>;

/// A browser: its cookie, and the tokens that it ever had.
#[derive(Clone, Default)]
struct Client {
    cookie: Option<Token>,
    had: Vec<Token>,
}

/// A request that is held: its answer to come, the model's idea of it, its client, what it has yet to do.
type Waiting = (crate::harness::Held, Request, usize, Vec<Step>);

struct Driver<'a> {
    world: &'a World,
    other: &'a Instance,
    model: Model,
    clients: Vec<Client>,
    /// The tokens that were handed out, by the model's numbers.
    tokens: HashMap<Token, String>,
    held: [Option<Waiting>; 2],
}

pub(crate) async fn run(world: &World, other: &Instance, program: &[Op]) -> Verdict {
    let before = world.sessions();
    let mut driver = Driver {
        world,
        other,
        model: Model::default(),
        clients: vec![Client::default(); CLIENTS],
        tokens: HashMap::new(),
        held: [None, None],
    };
    for op in program {
        driver.op(op).await.map_err(|error| format!("at {op:?}: {error}"))?;
    }
    for slot in 0..driver.held.len() {
        driver.release(slot).await.map_err(|error| format!("at the last requests: {error}"))?;
    }
    driver.all_tokens().await?;
    driver.no_other_session(before)
}

impl Driver<'_> {
    async fn op(&mut self, op: &Op) -> Verdict {
        match op {
            Op::Whole(visit) => self.whole(visit).await,
            Op::Begin(slot, visit, rest) => self.begin(*slot, visit, rest).await,
            Op::Finish(slot) => self.release(*slot).await,
            Op::Forget(client) => {
                self.clients[*client].cookie = None;
                Ok(())
            }
            Op::Pass(span) => {
                self.world.clock.advance(*span);
                self.model.pass(span.as_millis().try_into().unwrap());
                Ok(())
            }
            Op::Meddle(client, what) => match self.clients[*client].cookie {
                Some(token) => self.meddle(token, *what),
                None => Ok(()),
            },
            Op::Epoch => {
                for key in self.world.keys("*:epoch") {
                    self.world.command(&["INCR", &key]);
                }
                self.model.bump_epoch();
                Ok(())
            }
        }
    }

    fn presented(&self, visit: &Visit) -> Option<Token> {
        let client = &self.clients[visit.client];
        match visit.replay {
            Some(back) => client.had.iter().rev().nth(back).copied(),
            None => client.cookie,
        }
    }

    fn instance(&self, visit: &Visit) -> Instance {
        if visit.elsewhere { self.other.clone() } else { (**self.world).clone() }
    }

    fn text(&self, token: Option<Token>) -> &str {
        token.map_or(NOBODY, |token| &self.tokens[&token])
    }

    async fn whole(&mut self, visit: &Visit) -> Verdict {
        let token = self.presented(visit);
        let mut request = Request::begin(&mut self.model, token);
        request.steps(&mut self.model, &visit.steps);
        let status = request.finish(&mut self.model);
        let answer = self.instance(visit).run(self.text(token), &script(&visit.steps)).await;
        self.compare(visit.client, &request, status, &answer)
    }

    async fn begin(&mut self, slot: usize, visit: &Visit, rest: &[Step]) -> Verdict {
        self.release(slot).await?;
        let token = self.presented(visit);
        let mut request = Request::begin(&mut self.model, token);
        request.steps(&mut self.model, &visit.steps);
        let (instance, first) = (self.instance(visit), script(&visit.steps));
        if request.failed {
            // It never comes to the point where it would be held.
            let status = request.finish(&mut self.model);
            let answer = instance.run(self.text(token), &first).await;
            return self.compare(visit.client, &request, status, &answer);
        }
        let held = instance.hold(self.text(token), &format!("{first}; hold; {}", script(rest))).await;
        self.held[slot] = Some((held, request, visit.client, rest.to_vec()));
        Ok(())
    }

    async fn release(&mut self, slot: usize) -> Verdict {
        let Some((held, mut request, client, rest)) = self.held[slot].take() else { return Ok(()) };
        request.steps(&mut self.model, &rest);
        let status = request.finish(&mut self.model);
        let answer = held.release().await;
        self.compare(client, &request, status, &answer)
    }

    fn compare(&mut self, client: usize, request: &Request, status: u16, answer: &Answer) -> Verdict {
        let wrong = |what: &str| {
            Err(format!("{what}; expected {status}, {:?}, {:?}\n{answer:?}", request.cookie, request.told))
        };
        if answer.status != status {
            return wrong("another status");
        }
        let client = &mut self.clients[client];
        match (request.cookie, answer.issued(), answer.removes_cookie()) {
            (Cookie::Keep, None, false) if answer.cookie_line().is_none() => {}
            (Cookie::Remove, None, true) => client.cookie = None,
            (Cookie::Issue(token), Some(text), false) => {
                if self.tokens.values().any(|known| *known == text) {
                    return wrong("a token that was issued before");
                }
                self.tokens.insert(token, text);
                client.cookie = Some(token);
                client.had.push(token);
            }
            _ => return wrong("another cookie"),
        }
        if request.tells(status) {
            let told: Vec<Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
            let same =
                told.len() == request.told.len() && told.iter().zip(&request.told).all(|(a, b)| b.is(a));
            if !same {
                return wrong("told something else");
            }
        }
        Ok(())
    }

    fn meddle(&mut self, token: Token, what: Meddling) -> Verdict {
        let kind = if matches!(what, Meddling::Aftermath) { "x" } else { "s" };
        let key = self.world.key(kind, &self.tokens[&token]);
        let expected = match what {
            Meddling::Idle => self.model.idle_out(token),
            Meddling::Deadline => self.model.pass_deadline(token),
            Meddling::Aftermath => self.model.forget_aftermath(token),
        };
        match (key, expected) {
            (Some(key), true) if matches!(what, Meddling::Deadline) => {
                self.world.command(&set_deadline(&key, "1000"));
            }
            (Some(key), true) => self.world.command(&["DEL", &key]),
            (None, false) => {}
            (key, _) => return Err(format!("the key is {key:?}, and shall be there: {expected}")),
        }
        Ok(())
    }

    /// Every token that was ever handed out answers as it should, and a second look is like the first.
    async fn all_tokens(&mut self) -> Verdict {
        let mut tokens: Vec<_> = self.tokens.keys().copied().collect();
        tokens.sort_unstable();
        let look = [Step::User, Step::Version, Step::Keys, Step::Read("a"), Step::Read("b"), Step::Read("c")];
        for token in tokens.into_iter().flat_map(|token| [token, token]) {
            let mut request = Request::begin(&mut self.model, Some(token));
            request.steps(&mut self.model, &look);
            let status = request.finish(&mut self.model);
            let answer = self.world.run(&self.tokens[&token], &script(&look)).await;
            self.compare(0, &request, status, &answer).map_err(|error| format!("token {token}: {error}"))?;
        }
        Ok(())
    }

    /// In Redis, where a session whose time is up is really away: nothing is left that nobody can name.
    fn no_other_session(&self, before: usize) -> Verdict {
        let (stored, expected) = (self.world.sessions(), before + self.model.stored());
        if self.world.has_servers() && stored != expected {
            return Err(format!("{stored} sessions are stored, not {expected}"));
        }
        Ok(())
    }
}

impl Told {
    fn is(&self, told: &Value) -> bool {
        match self {
            Self::Value(value) => value == told,
            Self::Ended(None) => told.is_null(),
            Self::Ended(Some(why)) => is_reason(*why, told),
            Self::Gone(why) => told.get("gone").is_some_and(|word| is_reason(*why, word)),
            Self::Conflict(keys) => {
                let named = told.get("conflict").and_then(Value::as_array);
                let known = |key: &Value| key.as_str().is_some_and(|key| keys.contains(key));
                named.is_some_and(|named| !named.is_empty() && named.iter().all(known))
            }
        }
    }
}

fn is_reason(why: Reason, told: &Value) -> bool {
    let word = match why {
        Reason::LoggedOut => "logged_out",
        Reason::Destroyed => "destroyed",
        Reason::Replaced => "replaced",
        Reason::Replayed => "replayed",
        Reason::Absolute => "absolute",
        Reason::Epoch => "epoch",
        // More may be known than must be.
        Reason::Unknown => {
            return told.is_null()
                || told.as_str().is_some_and(|word| ["unknown", "idle", "absolute"].contains(&word));
        }
    };
    told == word
}
