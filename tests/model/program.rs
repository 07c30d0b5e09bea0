//! Programs: which client asks for what, in which order, and what else happens meanwhile.

use std::{fmt, time::Duration};

use proptest::{collection::vec, prelude::*};

/// Numbers.
pub(crate) const KEYS: [&str; 3] = ["a", "b", "c"];
/// A list, or a set.
pub(crate) const LIST: &str = "l";
pub(crate) const CLIENTS: usize = 3;
const USERS: [&str; 2] = ["alice", "bob"];

/// What a handler does with its session.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Read(&'static str),
    Keys,
    User,
    Version,
    Ended,
    Write(&'static str, u64),
    Count(&'static str),
    Increment(&'static str, i64),
    Max(&'static str, i64),
    /// These are about the list.
    Push(u64),
    Add(u64),
    Discard(u64),
    Take(&'static str),
    Remove(&'static str),
    Clear,
    Renew,
    /// The user proves it again.
    Prove,
    Login(&'static str, Carry),
    Logout,
    Destroy,
    Save,
    /// The handler goes on, and answers 500 in the end.
    Fail,
}

/// What comes along when somebody signs in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Carry {
    Nothing,
    Only(&'static str),
    All,
}

/// A request of one of the clients.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) client: usize,
    /// With an earlier token instead of the cookie: the last but so many.
    pub(crate) replay: Option<usize>,
    /// At the other instance.
    pub(crate) elsewhere: bool,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A request from beginning to end.
    Whole(Visit),
    /// A request that is held in the middle, in this slot; whoever waits there goes on before.
    Begin(usize, Visit, Vec<Step>),
    /// The request in this slot goes on to its end.
    Finish(usize),
    /// This client forgets its cookie.
    Forget(usize),
    /// Time passes, by the store's clock.
    Pass(Duration),
    /// What time does in Redis, to this client's current token.
    Meddle(usize, Meddling),
    /// Every session so far is void.
    Epoch,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Meddling {
    /// The session was not used for too long.
    Idle,
    /// The session is too old.
    Deadline,
    /// What became of it is forgotten: the grace of a renewal is over, a tombstone is gone.
    Aftermath,
}

/// Prints as a list of lines, which is what somebody reads who looks for the fault.
pub(crate) struct Program(pub(crate) Vec<Op>);

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|op| write!(f, "\n    {op:?}"))
    }
}

/// The step as the handler of the harness reads it.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(key) => write!(f, "read {key}"),
            Self::Keys => f.write_str("keys"),
            Self::User => f.write_str("user"),
            Self::Version => f.write_str("version"),
            Self::Ended => f.write_str("ended"),
            Self::Write(key, value) => write!(f, "write {key} {value}"),
            Self::Count(key) => write!(f, "count {key}"),
            Self::Increment(key, by) => write!(f, "inc {key} {by}"),
            Self::Max(key, least) => write!(f, "max {key} {least}"),
            Self::Push(element) => write!(f, "push {LIST} {element}"),
            Self::Add(element) => write!(f, "add {LIST} {element}"),
            Self::Discard(element) => write!(f, "discard {LIST} {element}"),
            Self::Take(key) => write!(f, "take {key}"),
            Self::Prove => f.write_str("prove otp"),
            Self::Remove(key) => write!(f, "remove {key}"),
            Self::Clear => f.write_str("clear"),
            Self::Renew => f.write_str("renew"),
            Self::Login(user, Carry::Nothing) => write!(f, "login {user}"),
            Self::Login(user, Carry::Only(key)) => write!(f, "login {user} {key}"),
            Self::Login(user, Carry::All) => write!(f, "login {user} *"),
            Self::Logout => f.write_str("logout"),
            Self::Destroy => f.write_str("destroy"),
            Self::Save => f.write_str("save"),
            Self::Fail => f.write_str("status 500"),
        }
    }
}

pub(crate) fn script(steps: &[Step]) -> String {
    steps.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&KEYS[..])
}

fn any_key() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => key(), 1 => Just(LIST)]
}

fn step() -> impl Strategy<Value = Step> {
    let carry = prop_oneof![Just(Carry::Nothing), any_key().prop_map(Carry::Only), Just(Carry::All)];
    prop_oneof![
        6 => any_key().prop_map(Step::Read),
        1 => Just(Step::Keys),
        1 => Just(Step::User),
        1 => Just(Step::Version),
        1 => Just(Step::Ended),
        8 => (key(), 10..99_u64).prop_map(|(key, value)| Step::Write(key, value)),
        4 => key().prop_map(Step::Count),
        3 => (key(), 0..9_i64).prop_map(|(key, by)| Step::Increment(key, by)),
        1 => (key(), 0..99_i64).prop_map(|(key, least)| Step::Max(key, least)),
        2 => (0..5_u64).prop_map(Step::Push),
        2 => (0..5_u64).prop_map(Step::Add),
        1 => (0..5_u64).prop_map(Step::Discard),
        3 => any_key().prop_map(Step::Take),
        1 => Just(Step::Prove),
        3 => any_key().prop_map(Step::Remove),
        1 => Just(Step::Clear),
        2 => Just(Step::Renew),
        2 => (prop::sample::select(&USERS[..]), carry).prop_map(|(user, carry)| Step::Login(user, carry)),
        1 => Just(Step::Logout),
        1 => Just(Step::Destroy),
        3 => Just(Step::Save),
        1 => Just(Step::Fail),
    ]
}

fn visit() -> impl Strategy<Value = Visit> {
    // An old token is one of the last three: nobody promises to follow more than a few renewals.
    let replay = prop_oneof![4 => Just(None), 1 => (0..3_usize).prop_map(Some)];
    (0..CLIENTS, replay, any::<bool>(), vec(step(), 0..7))
        .prop_map(|(client, replay, elsewhere, steps)| Visit { client, replay, elsewhere, steps })
}

fn held() -> impl Strategy<Value = Op> {
    (0..2_usize, visit(), vec(step(), 0..6)).prop_map(|(slot, visit, rest)| Op::Begin(slot, visit, rest))
}

fn whole() -> impl Strategy<Value = Op> {
    visit().prop_map(Op::Whole)
}

/// `by_the_clock`: the test moves the store's time. Otherwise it does in the store what time would do.
pub(crate) fn programs(by_the_clock: bool) -> impl Strategy<Value = Vec<Op>> {
    let seconds = prop::sample::select(&[1_u64, 9, 10, 49, 60, 1800, 3599, 3600, 43_200, 86_400][..]);
    let meddling = prop::sample::select(
        &[Meddling::Idle, Meddling::Deadline, Meddling::Aftermath, Meddling::Aftermath][..],
    );
    let surroundings = if by_the_clock {
        seconds.prop_map(|seconds| Op::Pass(Duration::from_secs(seconds))).boxed()
    } else {
        let meddle = (0..CLIENTS, meddling).prop_map(|(client, what)| Op::Meddle(client, what));
        prop_oneof![4 => meddle, 1 => Just(Op::Epoch)].boxed()
    };
    let op = prop_oneof![
        12 => whole(),
        8 => held(),
        5 => (0..2_usize).prop_map(Op::Finish),
        1 => (0..CLIENTS).prop_map(Op::Forget),
        3 => surroundings,
    ];
    vec(op, 1..24)
}
