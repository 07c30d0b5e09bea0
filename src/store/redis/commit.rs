//! Changing a session, by one script.

use std::{borrow::Cow, iter, sync::LazyLock};

use redis::{Script, Value};

use super::{
    RedisStore,
    answer::{Answer, strange},
    arguments::changes,
    call::Call,
    codec::Values,
    foreseen::{Foreseen, foreseen},
    heads::lead,
    index::place,
    kept::Kept,
    layout::After,
};
use crate::{
    audit::Payload,
    clock::{Timestamp, millis},
    error::{Error, ErrorKind, Result},
    record::{Base, FieldName, Image, Version, Write},
    store::{Commit, Committed, Policy},
};

static COMMIT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("scripts/tell.lua"),
        include_str!("scripts/commit.lua"),
        include_str!("scripts/recent.lua"),
        include_str!("scripts/due.lua"),
        include_str!("scripts/meta.lua"),
        include_str!("scripts/merge.lua")
    ))
});

pub(super) async fn commit(store: &RedisStore, commit: &Commit) -> Result<Committed> {
    let at = commit.at;
    let (script, image) = question(store, commit);
    let answer = store.connection.call(&script).await?;
    if let Value::Int(at) = answer {
        let at = Timestamp::from_millis(u64::try_from(at).map_err(|_| strange())?);
        let (version, image) = (commit.base.version.next(), image.unwrap_or_default());
        return Ok(Committed::Committed { version, at, image, merged: None });
    }
    let mut answer = Answer::of(answer)?;
    let here = commit.renewal.as_ref().map_or(at, |renewal| renewal.to);
    match answer.word().as_slice() {
        b"committed" => {
            let version = Version::new(answer.number()?);
            let now = answer.timestamp()?;
            let merged = Values::from_value(answer.take())
                .and_then(|values| values.into_session(here, now, commit.idle));
            let merged = merged.map(|session| session.record);
            Ok(Committed::Committed { version, at: now, image: Image::default(), merged })
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

/// What is asked, and what the session is if the answer is that nobody was faster. Nothing but this lives while Redis
/// is at work.
fn question(store: &RedisStore, commit: &Commit) -> (Call<'static>, Option<Image>) {
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
        [keys.audit(at.shard), keys.log(at.shard), last]
    });
    let user = commit.user.as_ref().filter(|_| commit.renewal.is_some());
    let index = user.map(|user| keys.user(at.shard, user));
    let names = [&*session, &aftermath, epoch].into_iter();
    let names = names.chain(further.iter().flatten().map(String::as_str));
    let names = names.chain(target.as_deref()).chain(index.as_deref());
    let changed = commit.delta.changes.iter().map(|(name, change)| match &change.write {
        // The name stands in front of the value, too.
        Write::Set(value) => 2 * name.as_str().len() + value.as_str().len() + 10,
        Write::Remove | Write::Apply(_) => name.as_str().len() + 32,
    });
    let next = Base { version: commit.base.version.next(), head: commit.event };
    let kept = Kept::of(&commit.image, commit.base);
    let known = kept.and_then(|kept| Some((kept, foreseen(commit, kept, next)?)));
    let (heads, then) = match &known {
        Some((kept, foreseen)) => (Cow::from(&kept.heads), Cow::from(&foreseen.events.heads)),
        None => (lead(commit.base, 0).into(), lead(next, 0).into()),
    };
    let foreseen = known.as_ref().map(|(_, foreseen)| foreseen);
    let after = match foreseen.map(|foreseen| &foreseen.after) {
        None => [].as_slice(),
        Some(After::Stays) => b"k".as_slice(),
        Some(After::Becomes(packed)) => packed,
    };
    let older = foreseen.and_then(|foreseen| foreseen.events.older.as_deref());
    let (elsewhere, results) =
        foreseen.map(|foreseen| (&*foreseen.elsewhere, &*foreseen.told)).unwrap_or_default();
    // Those of a renewal, which are rare, may grow it.
    let args = 12 + 3 * changed.len();
    let bytes = 96 + heads.len() + then.len() + after.len() + older.map_or(0, <[u8]>::len);
    let bytes = bytes + entry.len() + event.len() + changed.sum::<usize>();
    let mut script = Call::new(&COMMIT, names, args, bytes);
    let (letters, count) = mode(commit, tells, foreseen);
    script.arg(&*heads).arg(&*then).arg(letters.get(..count).unwrap_or_default());
    match commit.is_activity() {
        true => script.arg(millis(commit.idle)),
        false => script.arg(""),
    };
    script.arg(after);
    match &known {
        Some((kept, _)) => script.arg(kept.epoch).arg(kept.deadline.as_millis()),
        None => script.arg("").arg(""),
    };
    if let Some(older) = older {
        script.arg(older);
    }
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
    for (mode, name, value) in changes(&commit.delta, next.version, elsewhere) {
        script.arg(mode).arg(name).arg(value);
    }
    let after = known.and_then(|(kept, foreseen)| kept.after(next, foreseen));
    (script, after.map(Image::new))
}

/// The policy's letter, and those of what is to be done besides.
fn mode(commit: &Commit, tells: bool, foreseen: Option<&Foreseen>) -> ([u8; 6], usize) {
    let policy = match commit.policy {
        Policy::Merge => b'm',
        Policy::Strict => b's',
        Policy::LastWriteWins => b'l',
    };
    let besides = [
        (commit.delta.clear, b'c'),
        (tells, b't'),
        (commit.renewal.is_some(), b'r'),
        (foreseen.is_some_and(|foreseen| foreseen.events.older.is_some()), b'o'),
        (foreseen.is_some_and(Foreseen::is_uncommon), b'e'),
    ];
    let besides = besides.into_iter().filter_map(|(wanted, letter)| wanted.then_some(letter));
    let (mut letters, mut count) = ([0; 6], 0);
    for (place, letter) in letters.iter_mut().zip(iter::once(policy).chain(besides)) {
        *place = letter;
        count += 1;
    }
    (letters, count)
}
