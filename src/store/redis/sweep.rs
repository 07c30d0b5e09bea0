//! Noticing that sessions ran out, without anybody being told by Redis.

use std::{sync::LazyLock, time::Duration};

use redis::{FromRedisValue as _, Script, Value};

use super::{
    RedisStore,
    answer::{Answer, strange},
    change::end,
};
use crate::{
    audit::Payload,
    clock::{Timestamp, millis},
    error::{Error, Result},
    id::{Address, EventId, IdleClass, SessionRef, Shard},
    record::EndReason,
    store::End,
};

static SWEEP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        "#!lua flags=allow-oom\n",
        include_str!("scripts/tell.lua"),
        include_str!("scripts/sweep.lua")
    ))
});

/// How many sessions one script looks at: it keeps the whole server waiting meanwhile, for a millisecond or two.
const AT_ONCE: usize = 100;

/// One session of the list, as `scripts/due.lua` names it.
struct Candidate {
    name: String,
    /// When its time may be up, ms. Without another use that is the moment of its end.
    score: u64,
    hash: String,
    reference: SessionRef,
    deadline: u64,
    listed: bool,
    user: Option<String>,
}

impl Candidate {
    /// `None` for what is no name of this release.
    fn parse(name: Vec<u8>, score: f64) -> Option<Self> {
        let name = String::from_utf8(name).ok()?;
        let mut parts = name.splitn(5, ' ');
        let hash = parts.next()?.to_owned();
        let reference = SessionRef::parse(parts.next()?)?;
        let deadline = parts.next()?.parse().ok()?;
        let listed = parts.next()? != "-";
        let user = parts.next().filter(|user| !user.is_empty()).map(str::to_owned);
        // Whole and positive, or nobody here wrote it.
        let score = (score >= 0.0 && score.fract() == 0.0).then_some(score as u64)?;
        Some(Self { score, hash, reference, deadline, listed, user, name })
    }

    /// Its end. A score is never above the deadline, and where it is the deadline, the idle time reached so far.
    fn end(&self, shard: Shard, remember: Duration) -> End {
        End {
            at: Address { reference: self.reference, shard, class: IdleClass::default() },
            event: EventId::of_expiry(&self.reference),
            reason: if self.score < self.deadline { EndReason::Idle } else { EndReason::Absolute },
            keep_fields: false,
            remember,
            user: self.user.clone(),
            context: std::sync::Arc::default(),
        }
    }
}

/// Every shard where something may be due. A master that is out of reach does not keep the others waiting for
/// more than its timeouts; then the error says that this is not done.
pub(super) async fn sweep(store: &RedisStore, remember: Duration) -> Result<usize> {
    let shards: Vec<Shard> = store.keys.shards().iter().collect();
    let (mut ended, mut failure) = (0, None::<Error>);
    // One pipeline for all; on a cluster one must stay on one shard.
    let at_once = if store.connection.is_cluster() { 1 } else { shards.len() };
    for shards in shards.chunks(at_once) {
        let (due, now) = match first_due(store, shards).await {
            Ok(answer) => answer,
            Err(error) => {
                failure.get_or_insert(error);
                continue;
            }
        };
        for shard in due {
            if let Err(error) = one(store, shard, now, remember, &mut ended).await {
                failure.get_or_insert(error);
            }
        }
    }
    failure.map_or(Ok(ended), Err)
}

/// Which of these shards have something that is due, and since when: by Redis' clock.
async fn first_due(store: &RedisStore, shards: &[Shard]) -> Result<(Vec<Shard>, Timestamp)> {
    let mut pipe = redis::pipe();
    for shard in shards {
        pipe.cmd("ZRANGE").arg(store.keys.due(*shard)).arg(0).arg(0).arg("WITHSCORES");
    }
    pipe.cmd("TIME");
    let mut answers = store.connection.pipeline::<Vec<Value>>(&pipe).await?;
    let time = answers.pop().unwrap_or(Value::Nil);
    let (seconds, micros) = <(u64, u64)>::from_redis_value(time).map_err(|_| strange())?;
    let now = Timestamp::from_millis(seconds * 1000 + micros / 1000);
    let mut due = Vec::new();
    for (shard, answer) in shards.iter().zip(answers) {
        let first = Vec::<(Vec<u8>, f64)>::from_redis_value(answer).map_err(|_| strange())?;
        if first.first().is_some_and(|(_, score)| *score <= now.as_millis() as f64) {
            due.push(*shard);
        }
    }
    Ok((due, now))
}

/// All of a shard that was due at `now`. This ends: the script takes each from the list, or puts it off to a later
/// time.
async fn one(
    store: &RedisStore,
    shard: Shard,
    now: Timestamp,
    remember: Duration,
    ended: &mut usize,
) -> Result<()> {
    // What can't be read stays where it is, and must not hide what is behind it.
    let mut unreadable = 0;
    loop {
        let mut read = redis::cmd("ZRANGEBYSCORE");
        read.arg(store.keys.due(shard)).arg("-inf").arg(now.as_millis()).arg("WITHSCORES");
        read.arg("LIMIT").arg(unreadable).arg(AT_ONCE);
        let found: Vec<(Vec<u8>, f64)> = store.connection.query(&read).await?;
        let count = found.len();
        let candidates: Vec<_> =
            found.into_iter().filter_map(|(name, score)| Candidate::parse(name, score)).collect();
        unreadable += count - candidates.len();
        if !candidates.is_empty() {
            *ended += look_after(store, shard, remember, &candidates).await?;
        }
        if count < AT_ONCE {
            return Ok(());
        }
    }
}

async fn look_after(
    store: &RedisStore,
    shard: Shard,
    remember: Duration,
    candidates: &[Candidate],
) -> Result<usize> {
    let keys = &store.keys;
    let mut script = SWEEP.prepare_invoke();
    script.key(keys.due(shard)).key(keys.audit(shard)).key(keys.log(shard)).key(keys.epoch(shard));
    script.arg(millis(remember));
    for candidate in candidates {
        let end = candidate.end(shard, remember);
        script
            .key(keys.session(shard, &candidate.hash))
            .key(keys.aftermath(shard, &candidate.hash))
            .key(match &candidate.user {
                Some(user) if candidate.listed => keys.user(shard, user),
                _ => keys.due(shard),
            })
            .arg(&candidate.name)
            .arg(candidate.score)
            .arg(end.reason.as_str())
            .arg(end.event.as_bytes())
            .arg(store.told(|| Payload::from(&end)));
    }
    let mut answer = Answer::of(store.connection.script(&script).await?)?;
    if answer.word() != b"swept" {
        return Err(strange());
    }
    let mut ended = usize::try_from(answer.number()?).unwrap_or_default();
    let void = Vec::<(usize, String)>::from_redis_value(answer.take()).map_err(|_| strange())?;
    for (place, reason) in void {
        let Some(candidate) = candidates.get(place) else { return Err(strange()) };
        // As a load ends it that comes first: version and last event are known.
        let reason = EndReason::parse(&reason);
        let void = End { event: EventId::new(), reason, ..candidate.end(shard, remember) };
        if let crate::store::Finished::Ended { .. } = end(store, &void).await? {
            ended += 1;
        }
    }
    Ok(ended)
}
