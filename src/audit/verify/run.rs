//! All sessions.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::task::JoinSet;

use super::{
    Discrepancy, Verify, VerifyReport,
    compare::compare,
    pending::{Pending, Suspect},
    untold::strangers,
};
use crate::{
    audit::{
        seal::check_with,
        trail::{History, Resolved, State, Walk, both},
    },
    clock::Timestamp,
    error::{Error, Result},
    id::{EventId, SessionRef},
    store::{RedisStore, redis::Seen},
};

/// How many sessions are read at a time.
const PAGE: u16 = 500;

/// How many of them are looked up in Redis at a time, over one connection, which pipelines them.
const AT_A_TIME: usize = 64;

/// Rows that are not as they were sealed, by the ref that they name.
type Edited = HashMap<SessionRef, Vec<EventId>>;

pub(super) async fn run(verify: Verify) -> Result<VerifyReport> {
    let Verify { store, queue, pool, seals, idle, mut progress } = verify;
    store.check_namespace(true).await?;
    let mut report = VerifyReport::default();
    let mut edited = Edited::new();
    let keys = seals.keys().to_vec();
    report.trail = check_with(&pool, seals, |row| {
        let bytes = row.reference.as_deref().and_then(|bytes| bytes.try_into().ok());
        if let Some(bytes) = bytes {
            edited.entry(SessionRef::from_bytes(bytes)).or_default().push(EventId::from(row.event_id));
        }
    })
    .await?;

    let mut found = Found { edited, ..Found::default() };
    let mut walk = Walk::new(pool.clone(), queue.namespace(), None, Timestamp::from_millis(u64::MAX), PAGE);
    walk = walk.checking_snapshots(&keys);
    let mut page = walk.next().await?;
    while let Some(this) = page {
        for headless in this.headless {
            report.sessions += 1;
            found.tell_edited(&[headless.session], &mut report);
            report.add(headless.session, Discrepancy::BeginningMissing);
            report.add_snapshots(headless.session, headless.snapshots);
        }
        let (done, next) = both(found.look(&store, idle, this.histories, &mut report), walk.next()).await;
        done?;
        page = next?;
        progress(&report);
    }
    let strangers = strangers(&store, &found.keys).await?;
    let heads = strangers.iter().map(|(_, head)| *head);
    let mut pending = Pending::find(&queue, &pool, &found.suspects, heads).await?;
    for suspect in &found.suspects {
        pending.settle(suspect, &mut report);
    }
    for (key, _) in strangers.into_iter().filter(|(_, head)| !pending.has(*head)) {
        report.add_untold(key);
    }
    // Rows whose ref is no session's, perhaps because that is what was edited.
    for (session, rows) in found.edited {
        report.add(session, Discrepancy::Edited(rows));
    }
    Ok(report)
}

/// What is kept over all pages.
#[derive(Debug, Default)]
struct Found {
    edited: Edited,
    suspects: Vec<Suspect>,
    /// Keys of the sessions that were looked up.
    keys: HashSet<String>,
}

impl Found {
    fn tell_edited(&mut self, refs: &[SessionRef], report: &mut VerifyReport) {
        let rows: Vec<EventId> =
            refs.iter().filter_map(|reference| self.edited.remove(reference)).flatten().collect();
        if let Some(session) = refs.last().filter(|_| !rows.is_empty()) {
            report.add(*session, Discrepancy::Edited(rows));
        }
    }

    /// Looks a page of sessions up in Redis.
    async fn look(
        &mut self,
        store: &RedisStore,
        idle: Duration,
        histories: Vec<History>,
        report: &mut VerifyReport,
    ) -> Result<()> {
        let mut waiting = histories.into_iter();
        let mut running: JoinSet<Result<(Resolved, State, Seen), Error>> = JoinSet::new();
        let mut seen = Vec::new();
        loop {
            while running.len() < AT_A_TIME
                && let Some(history) = waiting.next()
            {
                let mut resolved = history.resolve();
                report.sessions += 1;
                let Some(state) = resolved.state.take() else {
                    // Its first row is there, and can't be read.
                    if let Some(session) = resolved.began_as {
                        self.tell_edited(&[session], report);
                        report.add(session, Discrepancy::BeginningMissing);
                        report.add_snapshots(session, resolved.snapshots);
                    }
                    continue;
                };
                let store = store.clone();
                running.spawn(async move {
                    let seen = store.inspect(state.at).await?;
                    Ok((resolved, state, seen))
                });
            }
            match running.join_next().await {
                None => break,
                Some(Ok(one)) => seen.push(one?),
                // Nothing cancels these tasks, so this is a panic of theirs: it belongs to whoever asked.
                Some(Err(error)) => {
                    if let Ok(panic) = error.try_into_panic() {
                        std::panic::resume_unwind(panic);
                    }
                }
            }
        }
        // Later than all of them: whose time is not up now had its time when it was looked for.
        let now = store.now().await?;
        for (resolved, state, seen) in seen {
            if let Seen::Alive(alive) = &seen {
                report.alive += 1;
                self.keys.insert(store.key_of(alive.record.address));
            }
            let compared = compare(&resolved, &state, &seen, now, idle);
            let refs: Vec<SessionRef> = state.former.iter().copied().chain([state.at.reference]).collect();
            self.tell_edited(&refs, report);
            for problem in compared.problems {
                report.add(state.at.reference, problem);
            }
            report.add_snapshots(state.at.reference, resolved.snapshots);
            self.suspects.extend(compared.suspect);
        }
        Ok(())
    }
}
