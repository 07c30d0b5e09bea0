//! The scripts that change a session, each behind one typed function.

use std::{collections::BTreeMap, sync::LazyLock};

use redis::{Script, Value};

use super::{
    RedisStore,
    arguments::changes,
    call::Call,
    codec::{Values, ended, lead, number},
    foreseen::foreseen,
    index::{Index, Retries, place},
    layout::{self, After},
};
use crate::{
    audit::Payload,
    clock::{Timestamp, millis},
    error::{Error, ErrorKind, Result},
    id::{Address, SessionRef},
    record::{Base, Ended, FieldName, Fields, Version, Write, merge},
    store::{Commit, Committed, Create, Created, End, Finished, Generation, Policy},
};

static CREATE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("scripts/tell.lua"),
        include_str!("scripts/due.lua"),
        include_str!("scripts/meta.lua"),
        include_str!("scripts/recent.lua"),
        include_str!("scripts/index.lua"),
        include_str!("scripts/create.lua")
    ))
});
static COMMIT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("scripts/tell.lua"),
        include_str!("scripts/recent.lua"),
        include_str!("scripts/commit.lua"),
        include_str!("scripts/due.lua"),
        include_str!("scripts/meta.lua"),
        include_str!("scripts/merge.lua")
    ))
});
static GRACE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/grace.lua")));
static END: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        "#!lua flags=allow-oom\n",
        include_str!("scripts/tell.lua"),
        include_str!("scripts/due.lua"),
        include_str!("scripts/meta.lua"),
        include_str!("scripts/end.lua")
    ))
});

pub(super) async fn create(store: &RedisStore, create: &Create) -> Result<Created> {
    // A new session has no values that an operation could start from.
    let resolved;
    let create = if create.delta.has_operations() {
        resolved = Create { delta: merge::resolved(&Fields::default(), &create.delta), ..create.clone() };
        &resolved
    } else {
        create
    };
    let Some((sign_in, listing)) = create.sign_in.as_ref().zip(create.listing()) else {
        return begin(store, create, None, &Index::default()).await?.ok_or_else(strange);
    };
    if listing.cap.is_none() {
        return begin(store, create, listing.began, &Index::default()).await?.ok_or_else(strange);
    }
    let mut began = listing.began;
    let mut retries = Retries::new(store);
    loop {
        let index = Index::read(store, create.at.shard, &sign_in.user).await?;
        // A revocation that is made between two tries is one that the sign-in has to heed.
        let began = *began.get_or_insert(index.generation);
        if let Some(answer) = begin(store, create, Some(began), &index).await? {
            return Ok(answer);
        }
        retries.wait().await?;
    }
}

/// One try; `None` if the index is not what `index` says any more.
async fn begin(
    store: &RedisStore,
    create: &Create,
    began: Option<Generation>,
    index: &Index,
) -> Result<Option<Created>> {
    let (keys, at) = (&store.keys, create.at);
    let hash = keys.hash(&at.reference);
    let sign_in = create.sign_in.as_ref();
    let predecessor = create.predecessor.map_or(crate::id::EventId::NONE, |(_, event)| event);
    let mut script = CREATE.prepare_invoke();
    script
        .key(keys.session(at.shard, &hash))
        .key(keys.aftermath(at.shard, &hash))
        .key(keys.epoch(at.shard))
        .key(keys.audit(at.shard))
        .key(keys.log(at.shard))
        .key(keys.due(at.shard))
        .arg(create.event.as_bytes())
        .arg(millis(create.idle))
        .arg(millis(create.absolute))
        .arg(at.class.index())
        .arg(sign_in.map_or("", |sign_in| &sign_in.user))
        .arg(sign_in.and_then(|sign_in| sign_in.method.as_deref()).unwrap_or(""))
        .arg(create.device.as_deref().unwrap_or(""))
        .arg(store.told(|| Payload::from(create)))
        .arg(predecessor.as_bytes())
        .arg(place(&hash, &at.reference));
    if let Some(sign_in) = sign_in {
        index.enter(store, create, sign_in, began, &mut script);
    }
    let values = create.delta.changes.iter().filter_map(|(name, change)| match &change.write {
        Write::Set(value) => Some((name, value, Version::new(1), change.secret)),
        Write::Remove | Write::Apply(_) => None,
    });
    for (name, field) in layout::fields(values) {
        script.arg(name).arg(field);
    }
    let mut answer = Answer::of(store.connection.script(&script).await?)?;
    match answer.word().as_slice() {
        b"created" => Ok(Some(Created::Created { at: answer.timestamp()? })),
        b"taken" => Ok(Some(Created::Taken)),
        b"rejected" => Ok(Some(Created::Rejected)),
        b"revoked" => Ok(Some(Created::Revoked(answer.ended()))),
        b"changed" => Ok(None),
        _ => Err(strange()),
    }
}

pub(super) async fn commit(store: &RedisStore, commit: &Commit) -> Result<Committed> {
    let at = commit.at;
    let script = question(store, commit);
    let answer = store.connection.call(&script).await?;
    if let Value::Int(at) = answer {
        let at = Timestamp::from_millis(u64::try_from(at).map_err(|_| strange())?);
        return Ok(Committed::Committed { version: commit.base.version.next(), at, merged: None });
    }
    let mut answer = Answer::of(answer)?;
    let here = commit.renewal.as_ref().map_or(at, |renewal| renewal.to);
    match answer.word().as_slice() {
        b"committed" => {
            let version = Version::new(answer.number()?);
            let now = answer.timestamp()?;
            let merged = Values::from_value(answer.take())
                .and_then(|values| values.into_session(here, now, commit.idle));
            Ok(Committed::Committed { version, at: now, merged: merged.map(|session| session.record) })
        }
        b"conflict" => {
            let names = match answer.take() {
                Value::Array(names) => names,
                _ => return Err(strange()),
            };
            let fields = answer.take();
            let now = answer.timestamp()?;
            let session =
                Values::from_value(fields).and_then(|values| values.into_session(at, now, commit.idle));
            let current = session.ok_or_else(strange)?.record;
            let keys = names.into_iter().filter_map(|name| match name {
                Value::BulkString(name) => FieldName::new(std::str::from_utf8(&name).ok()?).ok(),
                _ => None,
            });
            Ok(Committed::Conflict { keys: keys.collect(), current })
        }
        b"gone" => Ok(Committed::Gone(answer.ended())),
        b"moved" => Ok(Committed::Moved(answer.successor(at)?)),
        b"behind" => {
            let fields = answer.take();
            let now = answer.timestamp()?;
            let session =
                Values::from_value(fields).and_then(|values| values.into_session(at, now, commit.idle));
            let current = session.ok_or_else(strange)?.record;
            Ok(Committed::Behind { current, never: answer.word() == b"1" })
        }
        b"taken" => Ok(Committed::Taken),
        b"full" => Err(Error::msg(
            ErrorKind::Unavailable,
            "the audit queue has used up its budget, and a change that is not told is to be refused: is an \
             `AuditWriter` running, and PostgreSQL there?",
        )),
        _ => Err(strange()),
    }
}

/// Nothing but this lives while Redis is at work.
fn question(store: &RedisStore, commit: &Commit) -> Call<'static> {
    let (keys, at) = (&store.keys, commit.at);
    let hash = keys.hash(&at.reference);
    let session = keys.session(at.shard, &hash);
    let target = commit.renewal.as_ref().map(|renewal| keys.session_at(renewal.to));
    let (entry, event) = store.entry_and_event(|| Payload::from(commit));
    // That a session moves is told in any case.
    let limit = match commit.renewal {
        None => store.trail.limit(keys.shards()),
        Some(_) => String::new(),
    };
    let (aftermath, epoch) = (keys.aftermath(at.shard, &hash), keys.epoch(at.shard));
    let tells = store.trail.on || store.events.is_some();
    // Where nobody is told, a commit has nothing to do with the other keys.
    let further = (tells || commit.renewal.is_some()).then(|| {
        let last = match commit.renewal {
            None => keys.shed(at.shard),
            Some(_) => keys.due(at.shard),
        };
        let user = commit.user.as_ref().filter(|_| commit.renewal.is_some());
        let index = user.map(|user| keys.user(at.shard, user));
        (keys.audit(at.shard), keys.log(at.shard), last, index)
    });
    let mut names: Vec<&str> = Vec::with_capacity(8);
    names.extend([&*session, &aftermath, epoch]);
    if let Some((audit, log, last, index)) = &further {
        names.extend([&**audit, log, target.as_ref().unwrap_or(&session), last]);
        names.extend(index.as_deref());
    }
    let changed = commit.delta.changes.iter().map(|(name, change)| match &change.write {
        // The name stands in front of the value, too.
        Write::Set(value) => 2 * name.as_str().len() + value.as_str().len() + 10,
        Write::Remove | Write::Apply(_) => name.as_str().len() + 32,
    });
    // Those of a renewal, which are rare, may grow it.
    let (args, bytes) = (11 + 3 * changed.len(), 160 + entry.len() + event.len() + changed.sum::<usize>());
    let version = commit.base.version.next();
    let foreseen = foreseen(commit);
    let after = match foreseen.as_ref().map(|foreseen| &foreseen.after) {
        None => [].as_slice(),
        Some(After::Stays) => b"k".as_slice(),
        Some(After::Becomes(packed)) => packed.as_slice(),
    };
    let (elsewhere, results) =
        foreseen.as_ref().map(|foreseen| (&*foreseen.elsewhere, &*foreseen.told)).unwrap_or_default();
    let mut script = Call::new(&COMMIT, &names, args, bytes + after.len());
    script
        .arg(lead(commit.base, b""))
        .arg(lead(Base { version, head: commit.event }, b""))
        .arg(mode(commit, tells).as_slice());
    match commit.is_activity() {
        true => script.arg(millis(commit.idle)),
        false => script.arg(""),
    };
    script.arg(after).arg(commit.image.epoch()).arg(commit.image.deadline().as_millis());
    if tells {
        // The trail tells no values where it has names only.
        let results = if store.trail.tells_values() { results } else { &[] };
        script.arg(limit).arg(entry).arg(event).arg(results.len());
        for (name, value) in results {
            script.arg(format!(".{name}")).arg(value.as_str());
        }
    }
    if let Some(renewal) = &commit.renewal {
        let anew = renewal.anew.as_ref();
        script
            .arg(renewal.to.reference.as_bytes())
            .arg(millis(renewal.grace))
            .arg(&hash)
            .arg(millis(renewal.remember))
            .arg(anew.map(|anew| millis(anew.absolute).to_string()).unwrap_or_default())
            .arg(anew.map_or("", |anew| &anew.sign_in.user))
            .arg(anew.and_then(|anew| anew.sign_in.method.as_deref()).unwrap_or(""))
            .arg(place(&keys.hash(&renewal.to.reference), &renewal.to.reference))
            .arg(place(&hash, &at.reference));
    }
    for (mode, name, value) in changes(&commit.delta, version, elsewhere) {
        script.arg(mode).arg(name).arg(value);
    }
    script
}

/// The policy's letter, and those of what is to be done besides.
fn mode(commit: &Commit, tells: bool) -> Vec<u8> {
    let policy = match commit.policy {
        Policy::Merge => b'm',
        Policy::Strict => b's',
        Policy::LastWriteWins => b'l',
    };
    let besides = [(commit.delta.clear, b'c'), (tells, b't'), (commit.renewal.is_some(), b'r')];
    let besides = besides.into_iter().filter_map(|(wanted, letter)| wanted.then_some(letter));
    [policy].into_iter().chain(besides).collect()
}

/// See the script.
pub(super) async fn shorten_grace(store: &RedisStore, at: Address, from: &str, end: Timestamp) -> Result<()> {
    let mut script = GRACE.prepare_invoke();
    script.key(store.keys.aftermath(at.shard, from)).arg(end.as_millis());
    store.connection.script::<i64>(&script).await.map(drop)
}

pub(super) async fn end(store: &RedisStore, end: &End) -> Result<Finished> {
    let (keys, at) = (&store.keys, end.at);
    let hash = keys.hash(&at.reference);
    let mut script = END.prepare_invoke();
    script
        .key(keys.session(at.shard, &hash))
        .key(keys.aftermath(at.shard, &hash))
        .key(keys.audit(at.shard))
        .key(keys.log(at.shard))
        .key(keys.remains(at.shard, &hash))
        .key(keys.epoch(at.shard))
        .key(keys.due(at.shard));
    if let Some(user) = &end.user {
        script.key(keys.user(at.shard, user));
    }
    script
        .arg(end.event.as_bytes())
        .arg(end.reason.as_str())
        .arg(store.told(|| Payload::from(end)))
        .arg(millis(end.remember))
        .arg(u8::from(end.keep_fields))
        .arg(place(&hash, &at.reference));
    let mut answer = Answer::of(store.connection.script(&script).await?)?;
    match answer.word().as_slice() {
        b"ended" => {
            let now = answer.timestamp()?;
            let fields = Values::from_value(answer.take()).map_or_else(BTreeMap::new, Values::into_fields);
            Ok(Finished::Ended { at: now, event: end.event, fields })
        }
        // A session whose idle time ran out leaves no trace until a sweep finds it: that it is over is all that
        // is known.
        b"gone" => Ok(Finished::Gone(answer.ended())),
        b"moved" => Ok(Finished::Moved(answer.successor(at)?)),
        _ => Err(strange()),
    }
}

/// A script's answer: a word, then what belongs to it.
pub(super) struct Answer(std::vec::IntoIter<Value>);

impl Answer {
    pub(super) fn of(value: Value) -> Result<Self> {
        match value {
            Value::Array(values) => Ok(Self(values.into_iter())),
            _ => Err(strange()),
        }
    }

    pub(super) fn take(&mut self) -> Value {
        self.0.next().unwrap_or(Value::Nil)
    }

    pub(super) fn word(&mut self) -> Vec<u8> {
        match self.take() {
            Value::BulkString(bytes) => bytes,
            _ => Vec::new(),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64> {
        match self.take() {
            Value::Int(number) => u64::try_from(number).ok(),
            Value::BulkString(text) => number(&text),
            _ => None,
        }
        .ok_or_else(strange)
    }

    fn timestamp(&mut self) -> Result<Timestamp> {
        self.number().map(Timestamp::from_millis)
    }

    fn ended(&mut self) -> Ended {
        let (reason, at, device) = (self.word(), self.word(), self.word());
        ended(&reason, &at, &device)
    }

    fn successor(&mut self, at: Address) -> Result<Address> {
        let reference: [u8; 32] = self.word().try_into().map_err(|_| strange())?;
        Ok(Address { reference: SessionRef::from_bytes(reference), ..at })
    }
}

pub(super) fn strange() -> Error {
    Error::msg(
        ErrorKind::Corrupt,
        "a script answered what it never answers: is another release's data in this namespace?",
    )
}
