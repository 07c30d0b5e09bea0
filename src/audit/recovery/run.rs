//! All sessions.

use std::{collections::VecDeque, sync::Arc};

use tokio::task::JoinSet;

use super::{
    Options, ProblemKind, Recovery, RecoveryReport,
    epochs::Epochs,
    one::{Done, Outcome, put_back},
};
use crate::{
    audit::trail::{History, Walk, both, broken, highest_shard},
    error::{Error, ErrorKind, Result},
    id::Shard,
    store::{RedisStore, SessionStore as _},
};

/// How many sessions are read at a time.
const PAGE: u16 = 500;

pub(super) async fn run(recovery: Recovery) -> Result<RecoveryReport> {
    let Recovery { store, pool, options, mut progress } = recovery;
    let mut report = RecoveryReport::default();
    let queue = store.audit_queue();
    // Before the shard count is written, which can't be changed then.
    if let Some(highest) = highest_shard(&pool, queue.namespace()).await? {
        check_shard(&store, highest)?;
    }
    // Shard count and epochs come first: without them no session could be loaded.
    store.check_namespace(options.dry).await?;
    let nameless = "SELECT count(*) FROM cloakroom.session_event
                    WHERE ref IS NULL AND kind NOT IN ('epoch', 'gap') AND namespace = $1";
    let nameless = sqlx::query_scalar(nameless).bind(queue.namespace()).fetch_one(&pool);
    let nameless: i64 = nameless.await.map_err(broken)?;
    report.rows_without_session = u64::try_from(nameless).unwrap_or(0);

    let epochs = Arc::new(Epochs::find(&store, &queue, &pool).await?);
    report.epochs_raised = epochs.put_back(&store, options.dry).await?;
    let options = Arc::new(options);
    let mut walk = Walk::new(pool, queue.namespace(), options.user.as_deref(), options.until, PAGE);
    if options.snapshots {
        walk = walk.since_snapshots().signed_by(options.signed_by.clone());
    }
    // The next page is read while this one is put back.
    let mut page = walk.next().await?;
    while let Some(this) = page {
        report.rows += this.rows;
        report.since_snapshots += this.since_snapshots;
        for headless in &this.headless {
            report.sessions += 1;
            report.left_out += 1;
            report.add(headless.session, ProblemKind::BeginningMissing);
        }
        let (done, next) =
            both(put_all_back(&store, &options, &epochs, this.histories, &mut report), walk.next()).await;
        done?;
        page = next?;
        progress(&report);
    }
    Ok(report)
}

/// Some at a time, over one connection, which pipelines them.
async fn put_all_back(
    store: &RedisStore,
    options: &Arc<Options>,
    epochs: &Arc<Epochs>,
    histories: Vec<History>,
    report: &mut RecoveryReport,
) -> Result<()> {
    let mut waiting: VecDeque<History> = histories.into();
    let mut running: JoinSet<Result<Done>> = JoinSet::new();
    loop {
        while running.len() < options.concurrency
            && let Some(history) = waiting.pop_front()
        {
            let mut resolved = history.resolve();
            report.sessions += 1;
            let Some(state) = resolved.state.take() else {
                // Its first row is there, and can't be read.
                report.left_out += 1;
                if let Some(session) = resolved.began_as {
                    report.add(session, ProblemKind::BeginningMissing);
                }
                continue;
            };
            let shard = state.at.shard;
            let known = report.known_until.entry(shard).or_default();
            *known = state.last_at.max(*known);
            check_shard(store, shard)?;
            let (options, epochs) = (Arc::clone(options), Arc::clone(epochs));
            running.spawn(put_back(store.clone(), options, epochs, resolved, state));
        }
        match running.join_next().await {
            None => return Ok(()),
            Some(Ok(done)) => settle(done?, report),
            // Nothing cancels these tasks, so this is a panic of theirs: it belongs to whoever asked.
            Some(Err(error)) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }
}

fn check_shard(store: &RedisStore, shard: Shard) -> Result<()> {
    if store.shards().contains(shard) {
        return Ok(());
    }
    let text = format!("the trail has a session on shard {}, which this store lacks", shard.index());
    Err(Error::msg(ErrorKind::Mismatch, text))
}

fn settle(done: Done, report: &mut RecoveryReport) {
    let count = match done.outcome {
        Outcome::Restored => &mut report.restored,
        Outcome::Present => &mut report.present,
        Outcome::Ended => &mut report.ended,
        Outcome::Expired => &mut report.expired,
        Outcome::Later => &mut report.later,
        Outcome::LeftOut => &mut report.left_out,
    };
    *count += 1;
    for problem in done.problems {
        report.add(done.session, problem);
    }
}
