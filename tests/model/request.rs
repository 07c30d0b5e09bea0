//! One request as it should go: what its handler sees, what is committed, what the client is answered.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    effect::{Effect, apply, blind},
    model::{Fields, Model, Moves, Reason, Stored, Token},
    program::{Carry, KEYS, LIST, Step},
};

/// What a handler is told by one step.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    Value(Value),
    /// Why the session ended, if it did.
    Ended(Option<Reason>),
    /// By a save that found no session any more.
    Gone(Reason),
    /// By a save, and these are the keys that it may name.
    Conflict(BTreeSet<&'static str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    Keep,
    Issue(Token),
    Remove,
}

#[derive(Clone, Copy, Debug)]
enum Intent {
    Renew,
    Prove,
    Login(&'static str, Carry),
}

enum Outcome {
    Done,
    Conflict(BTreeSet<&'static str>),
    Gone(Reason),
}

pub(crate) struct Request {
    /// Where the session lives, as far as this request knows, and what it knows of it.
    at: Token,
    session: Option<Stored>,
    /// It came with a token that was renewed.
    old: bool,
    ended: Option<Reason>,
    cleared: bool,
    effects: BTreeMap<&'static str, Vec<Effect>>,
    /// The write that the handler saw, of each key that it read.
    seen: BTreeMap<&'static str, Option<u64>>,
    ending: Option<Reason>,
    intent: Option<Intent>,
    pub(crate) cookie: Cookie,
    pub(crate) told: Vec<Told>,
    /// The handler's own status.
    status: u16,
    /// A step was refused, and the handler gave up.
    pub(crate) failed: bool,
}

impl Carry {
    fn takes(self, key: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Only(only) => only == key,
            Self::All => true,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, carry) | (carry, Self::All) => carry,
            (Self::Only(one), Self::Only(two)) if one == two => self,
            _ => Self::Nothing,
        }
    }
}

impl Request {
    /// The handler begins, with the session of this token if it names one.
    pub(crate) fn begin(model: &mut Model, token: Option<Token>) -> Self {
        let (at, found) = match token {
            Some(token) => model.load(token),
            None => (Token::MAX, Err(Reason::Unknown)),
        };
        Self {
            at,
            old: token.is_some_and(|token| token != at),
            ended: found.as_ref().err().filter(|_| token.is_some()).copied(),
            session: found.ok(),
            cleared: false,
            effects: BTreeMap::new(),
            seen: BTreeMap::new(),
            ending: None,
            intent: None,
            cookie: Cookie::Keep,
            told: Vec::new(),
            status: 200,
            failed: false,
        }
    }

    pub(crate) fn steps(&mut self, model: &mut Model, steps: &[Step]) {
        for step in steps {
            if !self.failed {
                self.step(model, step);
            }
        }
    }

    fn step(&mut self, model: &mut Model, step: &Step) {
        match *step {
            Step::Read(key) => {
                let value = self.visible(key);
                self.note(key);
                self.tell(json!(value));
            }
            Step::Keys => self.tell(json!(self.names())),
            Step::User => {
                let user = match (self.intent, self.ending) {
                    (Some(Intent::Login(user, _)), _) => Some(user),
                    (_, Some(_)) => None,
                    _ => self.session.as_ref().and_then(|session| session.user),
                };
                self.tell(json!(user));
            }
            Step::Version => self.tell(json!(self.session.as_ref().map(|session| session.version))),
            Step::Ended => self.told.push(Told::Ended(self.ended)),
            Step::Write(key, value) => drop(self.effects.insert(key, vec![Effect::Set(json!(value))])),
            Step::Increment(key, by) => self.operate(key, Effect::Increment(by)),
            Step::Max(key, least) => self.operate(key, Effect::Max(least)),
            Step::Push(element) => self.operate(LIST, Effect::Push(element)),
            Step::Add(element) => self.operate(LIST, Effect::Add(element)),
            Step::Discard(_) if self.visible(LIST).is_none() => {}
            Step::Discard(element) => self.operate(LIST, Effect::Discard(element)),
            Step::Take(key) => {
                let taken = self.take(model, key);
                self.tell(json!(taken));
            }
            Step::Remove(key) if self.visible(key).is_none() => {}
            Step::Remove(key) => drop(self.effects.insert(key, vec![Effect::Remove])),
            Step::Count(key) => self.operate(key, Effect::Increment(1)),
            Step::Clear => {
                self.cleared = true;
                self.effects.clear();
            }
            Step::Renew | Step::Login(..) | Step::Prove if self.old && self.session.is_some() => {
                (self.failed, self.status) = (true, 409);
            }
            Step::Renew => {
                if self.session.is_some() && self.intent.is_none() && self.ending.is_none() {
                    self.intent = Some(Intent::Renew);
                }
            }
            Step::Prove if matches!(self.intent, Some(Intent::Login(..))) => {}
            Step::Prove => {
                let user = self.session.as_ref().and_then(|session| session.user);
                if user.is_none() || self.ending.is_some() {
                    (self.failed, self.status) = (true, 401);
                } else {
                    self.intent = Some(Intent::Prove);
                }
            }
            Step::Login(user, carry) => {
                self.effects.retain(|key, _| carry.takes(key));
                // The second one carries over from what the first would have left.
                let carry = match self.intent {
                    Some(Intent::Login(_, first)) => first.and(carry),
                    _ => carry,
                };
                self.intent = Some(Intent::Login(user, carry));
            }
            Step::Logout => self.end(Reason::LoggedOut),
            Step::Destroy => self.end(Reason::Destroyed),
            Step::Save => {
                let told = match self.commit(model) {
                    Outcome::Done => Told::Value(json!(self.session.as_ref().map(|session| session.version))),
                    Outcome::Conflict(keys) => Told::Conflict(keys),
                    Outcome::Gone(why) => Told::Gone(why),
                };
                self.told.push(told);
            }
            Step::Fail => self.status = 500,
        }
    }

    fn tell(&mut self, value: Value) {
        self.told.push(Told::Value(value));
    }

    fn end(&mut self, why: Reason) {
        self.drop_changes();
        self.seen.clear();
        self.ending = Some(why);
    }

    fn drop_changes(&mut self) {
        self.cleared = false;
        self.effects.clear();
        self.intent = None;
    }

    /// The handler is done: the status that the client gets.
    pub(crate) fn finish(&mut self, model: &mut Model) -> u16 {
        if self.status == 500 {
            // It failed, and only an end counts.
            self.drop_changes();
        }
        match self.commit(model) {
            Outcome::Done => self.status,
            Outcome::Conflict(_) | Outcome::Gone(_) => 409,
        }
    }

    /// Whether the answer is the handler's own, so that it tells what the steps told.
    pub(crate) fn tells(&self, status: u16) -> bool {
        status == self.status && !self.failed
    }

    /// The handler sees the stored value, or what is made of it. What the request wrote regardless of that
    /// tells it nothing about others.
    fn note(&mut self, key: &'static str) {
        if !blind(self.effects.get(key).map_or(&[], Vec::as_slice)) {
            let over = self.ending.is_some();
            self.seen.insert(key, self.seen_in(key).filter(|_| !over));
        }
    }

    fn operate(&mut self, key: &'static str, effect: Effect) {
        self.effects.entry(key).or_default().push(effect);
    }

    /// Exactly one request gets the value, at once.
    fn take(&mut self, model: &mut Model, key: &'static str) -> Option<Value> {
        let anew = self.ending.is_some() || matches!(self.intent, Some(Intent::Login(..)));
        let value = self.visible(key);
        self.note(key);
        if value.is_none() || anew || self.cleared || self.effects.contains_key(key) || self.session.is_none()
        {
            if value.is_some() {
                self.effects.insert(key, vec![Effect::Remove]);
            }
            return value;
        }
        let now_at = model.follow(self.at);
        if now_at != self.at {
            if matches!(self.intent, Some(Intent::Renew)) {
                self.intent = None;
            }
            (self.at, self.old) = (now_at, true);
        }
        let stored = match model.alive(self.at) {
            Ok(stored) => stored.clone(),
            Err(why) => {
                self.gone(why);
                return None;
            }
        };
        let mut fields = stored.fields.clone();
        let taken = fields.remove(key).map(|field| field.value);
        self.session = Some(match taken {
            Some(_) => model.commit(self.at, fields, Moves::Stays).1,
            None => stored,
        });
        self.seen.insert(key, None);
        taken
    }

    fn visible(&self, key: &'static str) -> Option<Value> {
        let inherited = match self.intent {
            _ if self.cleared || self.ending.is_some() => None,
            Some(Intent::Login(_, carry)) if !carry.takes(key) => None,
            _ => self.session.as_ref().and_then(|session| session.fields.get(key)),
        };
        let effects = self.effects.get(key).map_or(&[][..], Vec::as_slice);
        apply(effects, inherited.map(|field| field.value.clone()))
    }

    fn names(&self) -> Vec<&'static str> {
        KEYS.into_iter().chain([LIST]).filter(|key| self.visible(key).is_some()).collect()
    }

    fn commit(&mut self, model: &mut Model) -> Outcome {
        // What an earlier save told it already is a conflict, whatever else is wanted.
        if let (Some(session), None) = (&self.session, self.ending) {
            let stale = self.outdated(&session.fields);
            if !stale.is_empty() {
                return Outcome::Conflict(stale);
            }
        }
        if let Some(why) = self.ending.take() {
            self.cookie = Cookie::Remove;
            if self.session.take().is_some() {
                let at = model.follow_to_the_end(self.at);
                let known = model.alive(at).err();
                self.ended = Some(if model.over(at, why) { why } else { known.unwrap_or(Reason::Unknown) });
            }
        }
        match self.intent.take() {
            Some(Intent::Login(user, carry)) => self.login(model, user, carry),
            None if self.session.is_none() => {
                if !self.names().is_empty() {
                    let fields = self.changed(model, &Fields::new());
                    self.begin_anew(model, None, Carry::Nothing, fields);
                }
                Outcome::Done
            }
            None => self.change(model, Moves::Stays),
            Some(Intent::Renew) => self.change(model, Moves::Renewed),
            Some(Intent::Prove) => self.change(model, Moves::ProvedAnew),
        }
    }

    /// Every sign-in makes a new session, and the one before is over at once.
    fn login(&mut self, model: &mut Model, user: &'static str, carry: Carry) -> Outcome {
        let mut last = Fields::new();
        if self.session.is_some() {
            if model.follow_to_the_end(self.at) != self.at {
                // Somebody renewed it meanwhile: this request does not hold the current token.
                return self.gone(Reason::Replaced);
            }
            match model.alive(self.at) {
                Err(why) => return self.gone(why),
                // Its latest values, not those that this request has seen.
                Ok(stored) => last.clone_from(&stored.fields),
            }
            model.over(self.at, Reason::Replaced);
        }
        last.retain(|key, _| carry.takes(key));
        let fields = self.changed(model, &last);
        self.begin_anew(model, Some(user), carry, fields);
        Outcome::Done
    }

    fn change(&mut self, model: &mut Model, mut moves: Moves) -> Outcome {
        if moves == Moves::Stays && !self.cleared && self.effects.is_empty() {
            return Outcome::Done;
        }
        let now_at = model.follow(self.at);
        if now_at != self.at {
            if moves == Moves::ProvedAnew {
                return self.gone(Reason::Replaced);
            }
            // Renewed by another request: what this one wants is done there, except to renew it again.
            (self.at, self.old, moves) = (now_at, true, Moves::Stays);
            if !self.cleared && self.effects.is_empty() {
                return Outcome::Done;
            }
        }
        let current = match model.alive(self.at) {
            Ok(stored) => stored.fields.clone(),
            Err(why) => return self.gone(why),
        };
        let conflicts = self.outdated(&current);
        if !conflicts.is_empty() {
            self.intent = match moves {
                Moves::Stays => None,
                Moves::Renewed => Some(Intent::Renew),
                Moves::ProvedAnew => Some(Intent::Prove),
            };
            let changed = |key: &&'static str| self.seen_in(key) != current.get(key).map(|f| f.write);
            return Outcome::Conflict(self.effects.keys().copied().filter(changed).collect());
        }
        let fields = self.changed(model, &current);
        let (token, stored) = model.commit(self.at, fields, moves);
        if moves != Moves::Stays {
            self.cookie = Cookie::Issue(token);
        }
        // It knows what it wrote itself, unless that was counted on a value that it has not seen.
        for (key, seen) in &mut self.seen {
            if self.effects.contains_key(key) && *seen == current.get(key).map(|field| field.write) {
                *seen = stored.fields.get(key).map(|field| field.write);
            }
        }
        self.settle(token, stored);
        Outcome::Done
    }

    fn seen_in(&self, key: &str) -> Option<u64> {
        self.session.as_ref()?.fields.get(key).map(|field| field.write)
    }

    /// Keys that the handler read, that others have changed since, and that it wrote regardless of their
    /// value now.
    fn outdated(&self, current: &Fields) -> BTreeSet<&'static str> {
        let written = self.effects.iter().filter(|(_, effects)| blind(effects));
        let outdated = |key: &&'static str| {
            self.seen.get(key).is_some_and(|seen| *seen != current.get(key).map(|field| field.write))
        };
        written.map(|(key, _)| *key).filter(outdated).collect()
    }

    /// What the request makes of these fields.
    fn changed(&self, model: &mut Model, from: &Fields) -> Fields {
        let mut fields = if self.cleared { Fields::new() } else { from.clone() };
        for (key, effects) in &self.effects {
            match apply(effects, fields.get(key).map(|field| field.value.clone())) {
                Some(value) => {
                    fields.insert(key, crate::model::Field { value, write: model.write() });
                }
                None => drop(fields.remove(key)),
            }
        }
        fields
    }

    fn begin_anew(&mut self, model: &mut Model, user: Option<&'static str>, carry: Carry, fields: Fields) {
        let told = self.session.iter().filter(|_| !self.cleared).flat_map(|session| &session.fields);
        let told = told.filter(|(key, _)| carry.takes(key)).map(|(key, field)| (*key, field.value.clone()));
        let inherited: BTreeMap<_, _> = told.collect();
        let (token, stored) = model.create(user, fields);
        self.cookie = Cookie::Issue(token);
        (self.old, self.ended) = (false, None);
        // Nobody else knows the new session. What was read before is known of it, unless another request
        // changed it before it was carried over.
        let knew = self.session.as_ref().map(|session| &session.fields);
        for (key, seen) in &mut self.seen {
            let (old, new) = (knew.and_then(|fields| fields.get(key)), stored.fields.get(key));
            let as_told = inherited.get(key) == new.map(|field| &field.value);
            if *seen == old.map(|field| field.write) && (as_told || self.effects.contains_key(key)) {
                *seen = new.map(|field| field.write);
            }
        }
        self.settle(token, stored);
    }

    fn settle(&mut self, token: Token, stored: Stored) {
        self.drop_changes();
        (self.at, self.session) = (token, Some(stored));
    }

    fn gone(&mut self, why: Reason) -> Outcome {
        self.drop_changes();
        self.seen.clear();
        (self.session, self.ended) = (None, Some(why));
        // Whoever replaced the session has been given the new cookie, which this response may overtake.
        self.cookie = match why {
            Reason::Replaced | Reason::Replayed => Cookie::Keep,
            _ => Cookie::Remove,
        };
        Outcome::Gone(why)
    }
}
