//! Listing and ending a user's sessions.

use std::sync::LazyLock;

use redis::Script;

use super::{
    RedisStore,
    answer::{Answer, strange},
    index::{Index, Member, Retries},
};
use crate::{
    audit::Payload,
    clock::{Timestamp, millis},
    error::Result,
    id::{SessionHandle, Shard},
    record::{Authentication, SessionInfo},
    store::{Generation, Revocation, Revoked, Which},
};

static REVOKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        "#!lua flags=allow-oom\n",
        include_str!("scripts/tell.lua"),
        include_str!("scripts/due.lua"),
        include_str!("scripts/meta.lua"),
        include_str!("scripts/index.lua"),
        include_str!("scripts/revoke.lua")
    ))
});

/// How many sessions one script ends: it keeps the whole server waiting meanwhile.
const AT_ONCE: usize = 500;

/// `HGETALL` of the index; `PTTL` of every session, `GET epoch`, `HGET rev` and `TIME` in one pipeline.
pub(super) async fn list(store: &RedisStore, user: &str) -> Result<Vec<SessionInfo>> {
    let shard = store.keys.shards().of_user(user);
    let mut retries = Retries::new(store);
    loop {
        let index = Index::read(store, shard, user).await?;
        if index.members.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for member in &index.members {
            pipe.cmd("PTTL").arg(store.keys.session(shard, &member.hash));
        }
        pipe.cmd("GET").arg(store.keys.epoch(shard));
        pipe.cmd("HGET").arg(store.keys.user(shard, user)).arg("rev");
        pipe.cmd("TIME");
        let mut answers = store.connection.pipeline::<Vec<redis::Value>>(&pipe).await?.into_iter();
        let mut lefts = Vec::with_capacity(index.members.len());
        for _ in &index.members {
            lefts.push(from::<i64>(answers.next())?);
        }
        let epoch = from::<Option<u64>>(answers.next())?.unwrap_or_default();
        let revision = from::<Option<String>>(answers.next())?.unwrap_or_default();
        let (seconds, micros) = from::<(u64, u64)>(answers.next())?;
        if revision != index.revision {
            // What looks dead may have moved to another key by a renewal.
            retries.wait().await?;
            continue;
        }
        let now = Timestamp::from_millis(seconds * 1000 + micros / 1000);
        let (mut alive, mut dead) = (Vec::new(), Vec::new());
        for (member, left) in index.members.into_iter().zip(lefts) {
            match u64::try_from(left) {
                Err(_) => dead.push(member),
                Ok(left) if now < member.deadline && member.epoch >= epoch => {
                    alive.push(info(member, left, now));
                }
                // Its end is written where somebody comes with its token.
                Ok(_) => {}
            }
        }
        if !dead.is_empty() {
            forget(store, shard, user, &dead).await?;
        }
        alive.sort_by_key(|info| (std::cmp::Reverse(info.created_at), info.handle));
        return Ok(alive);
    }
}

fn from<T: redis::FromRedisValue>(answer: Option<redis::Value>) -> Result<T> {
    T::from_redis_value(answer.unwrap_or(redis::Value::Nil)).map_err(|_| strange())
}

fn info(member: Member, left: u64, now: Timestamp) -> SessionInfo {
    let unused = millis(member.idle).saturating_sub(left);
    let last_seen = Timestamp::from_millis(now.as_millis().saturating_sub(unused));
    SessionInfo {
        handle: member.handle,
        created_at: member.created_at,
        last_seen: last_seen.max(member.created_at),
        authentication: Authentication { at: member.authenticated_at, method: member.told.method },
        device: member.told.device,
        address: member.told.address,
        current: false,
    }
}

/// Prunes members whose session ran out.
async fn forget(store: &RedisStore, shard: Shard, user: &str, dead: &[Member]) -> Result<()> {
    for dead in dead.chunks(AT_ONCE) {
        let mut script = REVOKE.prepare_invoke();
        let keys = &store.keys;
        script.key(keys.user(shard, user)).key(keys.audit(shard)).key(keys.log(shard)).key(keys.due(shard));
        script.arg("").arg(0).arg("").arg("").arg("").arg("");
        for member in dead {
            script
                .key(store.keys.session(shard, &member.hash))
                .key(store.keys.aftermath(shard, &member.hash))
                .arg(member.handle.to_string())
                .arg(&member.hash)
                .arg("")
                .arg("");
        }
        store.connection.script::<redis::Value>(&script).await?;
    }
    Ok(())
}

pub(super) async fn revoke(store: &RedisStore, revocation: &Revocation) -> Result<Revoked> {
    match revocation.which {
        Which::One(handle) => one(store, revocation, handle).await,
        Which::Others(handle) => many(store, revocation, Some(handle)).await,
        Which::All => many(store, revocation, None).await,
    }
}

/// `HMGET` of the entry, and the script.
async fn one(store: &RedisStore, revocation: &Revocation, handle: SessionHandle) -> Result<Revoked> {
    let shard = store.keys.shards().of_user(&revocation.user);
    let key = store.keys.user(shard, &revocation.user);
    let name = handle.to_string();
    let mut retries = Retries::new(store);
    loop {
        let mut read = redis::cmd("HMGET");
        read.arg(&key).arg(&name).arg("rev");
        let (entry, revision): (Option<String>, Option<String>) = store.connection.query(&read).await?;
        let Some(member) = entry.and_then(|entry| Member::parse(&name, &entry)) else {
            return Ok(Revoked::NotFound);
        };
        let asked = Asked { revision: revision.as_deref().unwrap_or_default(), generation: false };
        match end(store, revocation, shard, &asked, &[&member]).await? {
            None => return Ok(Revoked::Gone),
            Some(Done { ended: 0, complete: false, .. }) => retries.wait().await?,
            // It ran out before.
            Some(Done { ended: 0, .. }) => return Ok(Revoked::NotFound),
            Some(Done { ended, .. }) => return Ok(Revoked::Revoked(ended)),
        }
    }
}

/// Ends everything that began before this very revocation. The first script begins a new generation: a
/// sign-in that is under way then can't finish, and a session that began under the new one is none of ours.
async fn many(store: &RedisStore, revocation: &Revocation, except: Option<SessionHandle>) -> Result<Revoked> {
    let shard = store.keys.shards().of_user(&revocation.user);
    let mut retries = Retries::new(store);
    let (mut sum, mut generation) = (0, None::<Generation>);
    loop {
        let index = Index::read(store, shard, &revocation.user).await?;
        let ours = |member: &&Member| {
            Some(member.handle) != except && generation.is_none_or(|ours| member.generation < ours)
        };
        let members: Vec<_> = index.members.iter().filter(ours).collect();
        if members.is_empty() && generation.is_some() {
            return Ok(Revoked::Revoked(sum));
        }
        let now = members.get(..AT_ONCE).unwrap_or(&members);
        let asked = Asked { revision: &index.revision, generation: true };
        let Some(done) = end(store, revocation, shard, &asked, now).await? else {
            return Ok(Revoked::Gone);
        };
        sum += done.ended;
        generation.get_or_insert(done.generation);
        if done.complete && now.len() == members.len() {
            return Ok(Revoked::Revoked(sum));
        }
        if done.ended == 0 {
            retries.wait().await?;
        }
    }
}

struct Asked<'a> {
    revision: &'a str,
    /// Whether a new generation begins.
    generation: bool,
}

struct Done {
    ended: usize,
    /// Whether nobody had changed the index since it was read.
    complete: bool,
    generation: Generation,
}

/// `None` where the session that asks is over.
async fn end(
    store: &RedisStore,
    revocation: &Revocation,
    shard: Shard,
    asked: &Asked<'_>,
    members: &[&Member],
) -> Result<Option<Done>> {
    let keys = &store.keys;
    // A session that ends itself is gone when this is repeated after a lost reply.
    let by = revocation.by.filter(|by| revocation.which != Which::One(*by));
    let mut script = REVOKE.prepare_invoke();
    script
        .key(keys.user(shard, &revocation.user))
        .key(keys.audit(shard))
        .key(keys.log(shard))
        .key(keys.due(shard))
        .arg(revocation.reason.as_str())
        .arg(millis(revocation.remember))
        .arg(if asked.generation { revocation.event.to_string() } else { String::new() })
        .arg(by.map(|by| by.to_string()).unwrap_or_default())
        .arg(asked.revision)
        .arg(revocation.device.as_deref().unwrap_or(""));
    for member in members {
        let end = revocation.of(member.at(shard));
        script
            .key(keys.session(shard, &member.hash))
            .key(keys.aftermath(shard, &member.hash))
            .arg(member.handle.to_string())
            .arg(&member.hash)
            .arg(end.event.as_bytes())
            .arg(store.told(|| Payload::from(&end)));
    }
    let mut answer = Answer::of(store.connection.script(&script).await?)?;
    match answer.word().as_slice() {
        b"revoked" => {
            let ended = usize::try_from(answer.number()?).unwrap_or_default();
            let complete = answer.word() == b"1";
            Ok(Some(Done { ended, complete, generation: Generation::new(answer.number()?) }))
        }
        b"gone" => Ok(None),
        _ => Err(strange()),
    }
}
