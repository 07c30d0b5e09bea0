//! The sessions as they should be: which token leads where, and what is stored.

use std::collections::BTreeMap;

use serde_json::Value;

const SECOND: u64 = 1000;
const IDLE: u64 = 3600 * SECOND;
const ABSOLUTE: u64 = 24 * 3600 * SECOND;
/// How long it is remembered why a session ended.
const REMEMBER: u64 = 24 * 3600 * SECOND;
const GRACE: u64 = 60 * SECOND;
const GRACE_AFTER_USE: u64 = 10 * SECOND;

/// The number of a token, in the order of issue.
pub(crate) type Token = usize;

/// Why a session is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    LoggedOut,
    Destroyed,
    Replaced,
    /// The token was renewed, and its grace is over.
    Replayed,
    Absolute,
    Epoch,
    /// Its time ran out unnoticed, or what is known of its end was forgotten: nothing need be told.
    Unknown,
}

/// A value, and which of all writes made it: two reads saw the same exactly if the writes are the same.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) value: Value,
    pub(crate) write: u64,
}

pub(crate) type Fields = BTreeMap<&'static str, Field>;

/// A stored session.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) version: u64,
    pub(crate) user: Option<&'static str>,
    pub(crate) fields: Fields,
    expires: u64,
    deadline: u64,
    epoch: u64,
    /// The old token of its last renewal.
    renewed_from: Option<Token>,
}

/// Where a token leads.
#[derive(Clone, Debug)]
enum Place {
    Lives(Stored),
    /// It leads there until the grace is over, which is known for some time.
    Moved {
        to: Token,
        until: u64,
        known: u64,
    },
    Over {
        why: Reason,
        until: u64,
    },
    Nothing,
}

#[derive(Default)]
pub(crate) struct Model {
    now: u64,
    epoch: u64,
    places: Vec<Place>,
    writes: u64,
}

impl Model {
    pub(crate) fn pass(&mut self, millis: u64) {
        self.now += millis;
    }

    pub(crate) fn bump_epoch(&mut self) {
        self.epoch += 1;
    }

    /// The session goes unnoticed; answers whether one was stored under this very token.
    pub(crate) fn idle_out(&mut self, token: Token) -> bool {
        let lives = matches!(self.places[token], Place::Lives(_));
        if lives {
            self.places[token] = Place::Nothing;
        }
        lives
    }

    pub(crate) fn pass_deadline(&mut self, token: Token) -> bool {
        let now = self.now;
        match &mut self.places[token] {
            Place::Lives(stored) => {
                stored.deadline = now;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn forget_aftermath(&mut self, token: Token) -> bool {
        let known = matches!(self.places[token], Place::Moved { .. } | Place::Over { .. });
        if known {
            self.places[token] = Place::Nothing;
        }
        known
    }

    /// How many sessions the store holds, as far as nobody's clock has ended them.
    pub(crate) fn stored(&self) -> usize {
        self.places.iter().filter(|place| matches!(place, Place::Lives(_))).count()
    }

    /// A number for a write that is about to happen.
    pub(crate) fn write(&mut self) -> u64 {
        self.writes += 1;
        self.writes
    }

    /// What a request with this token finds, and where. Its being asked for is activity.
    pub(crate) fn load(&mut self, presented: Token) -> (Token, Result<Stored, Reason>) {
        let at = self.follow(presented);
        let now = self.now;
        match self.alive(at) {
            Ok(stored) => {
                stored.expires = now + IDLE;
                let (found, from) = (stored.clone(), stored.renewed_from);
                // The first use of the new token shortens the grace of the old one.
                if at == presented {
                    if let Ok(stored) = self.alive(at) {
                        stored.renewed_from = None;
                    }
                    if let Some(Place::Moved { until, .. }) = from.map(|from| &mut self.places[from]) {
                        *until = (*until).min(now + GRACE_AFTER_USE);
                    }
                }
                (at, Ok(found))
            }
            Err(why) => {
                // Whoever notices that the time is up ends the session, which is then remembered.
                if matches!(why, Reason::Absolute | Reason::Epoch) {
                    self.over(at, why);
                }
                (at, Err(why))
            }
        }
    }

    /// Where a token leads by renewals whose grace may be over: an end is good for all of them.
    pub(crate) fn follow_to_the_end(&self, token: Token) -> Token {
        match self.places[token] {
            Place::Moved { to, known, .. } if known > self.now => self.follow_to_the_end(to),
            _ => token,
        }
    }

    /// Where a token leads by renewals, as long as their grace lasts.
    pub(crate) fn follow(&self, token: Token) -> Token {
        match self.places[token] {
            Place::Moved { to, until, .. } if until > self.now => self.follow(to),
            _ => token,
        }
    }

    /// The session under this very token, or why there is none to be used.
    pub(crate) fn alive(&mut self, token: Token) -> Result<&mut Stored, Reason> {
        let (now, epoch) = (self.now, self.epoch);
        match &mut self.places[token] {
            Place::Lives(stored) if stored.expires <= now => Err(Reason::Unknown),
            Place::Lives(stored) if stored.epoch < epoch => Err(Reason::Epoch),
            Place::Lives(stored) if stored.deadline <= now => Err(Reason::Absolute),
            Place::Lives(stored) => Ok(stored),
            Place::Over { why, until } if *until > now => Err(*why),
            Place::Moved { known, .. } if *known > now => Err(Reason::Replayed),
            _ => Err(Reason::Unknown),
        }
    }

    /// Ends the session under this very token, if one is stored there, also one whose time is up: then
    /// nobody had noticed.
    pub(crate) fn over(&mut self, token: Token, why: Reason) -> bool {
        let stored = matches!(&self.places[token], Place::Lives(stored) if stored.expires > self.now);
        if stored {
            self.places[token] = Place::Over { why, until: self.now + REMEMBER };
        }
        stored
    }

    pub(crate) fn create(&mut self, user: Option<&'static str>, fields: Fields) -> (Token, Stored) {
        let (expires, deadline) = (self.now + IDLE, self.now + ABSOLUTE);
        let epoch = self.epoch;
        let stored = Stored { version: 1, user, fields, expires, deadline, epoch, renewed_from: None };
        self.places.push(Place::Lives(stored.clone()));
        (self.places.len() - 1, stored)
    }

    /// A commit: the version counts by one, the idle time starts again; perhaps it moves to a new token.
    pub(crate) fn commit(&mut self, token: Token, fields: Fields, moves: Moves) -> (Token, Stored) {
        let (now, next) = (self.now, self.places.len());
        let stored = self.alive(token).expect("checked by the caller");
        stored.version += 1;
        stored.fields = fields;
        stored.expires = now + IDLE;
        if moves == Moves::Stays {
            return (token, stored.clone());
        }
        stored.renewed_from = (moves == Moves::Renewed).then_some(token);
        if moves == Moves::ProvedAnew {
            stored.deadline = now + ABSOLUTE;
        }
        let stored = stored.clone();
        self.places.push(Place::Lives(stored.clone()));
        self.places[token] = match moves {
            Moves::ProvedAnew => Place::Over { why: Reason::Replaced, until: now + REMEMBER },
            _ => Place::Moved { to: next, until: now + GRACE, known: now + REMEMBER },
        };
        (next, stored)
    }
}

/// What a commit does to the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moves {
    Stays,
    Renewed,
    /// A sign-in anew: no grace, and the absolute lifetime starts again.
    ProvedAnew,
}
