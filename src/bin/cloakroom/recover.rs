//! `cloakroom recover`

use std::{process::ExitCode, time::Duration};

use cloakroom::{
    audit::{Recovery, recovery::RecoveryReport, seal::SealPublicKey},
    clock::Timestamp,
};
use serde_json::{Value, json};

use crate::{
    Context,
    exit::{FOUND, Result},
    keys::{self, Pepper},
    output, progress,
    time::{parse_optional, parse_time},
};

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only sessions that this user signed in to
    #[arg(long)]
    user: Option<String>,
    /// Values as they were at this time, such as 2026-11-23T05:33:14Z; what ended later stays ended
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Changes nothing, and tells what would be done
    #[arg(long)]
    dry_run: bool,
    /// The application's idle timeout in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    idle_timeout: u64,
    /// Its idle timeout of remembered sign-ins in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 14 * 24 * 3600)]
    remembered_idle_timeout: u64,
    /// Counts idle time from a session's last change, and leaves those out whose time is up
    #[arg(long)]
    idle_from_last_write: bool,
    /// Leaves out sessions that changed at this time or later: what they did last may not be in the trail
    #[arg(long, value_name = "TIME")]
    drop_active_since: Option<String>,
    /// Reads every row, and passes snapshots over
    #[arg(long)]
    without_snapshots: bool,
    /// Takes only snapshots that are signed by one of these public keys, as `cloakroom seal-key` prints them
    #[arg(long, value_name = "PUBLIC_KEY", num_args = 1.., value_parser = keys::parse_public_key)]
    seals: Vec<SealPublicKey>,
    /// Puts sessions back although something is missing in their trail
    #[arg(long)]
    over_gaps: bool,
    /// Sessions at a time, 1 to 1024
    #[arg(long, default_value_t = 64)]
    concurrency: u16,
    #[command(flatten)]
    pepper: Pepper,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result {
    let pool = context.migrated_pool().await?;
    let store = args.pepper.give(context.builder(context.shard_count().await?)?)?.audit(true).build()?;
    let mut recovery = Recovery::new(&store, pool.clone())
        .idle_timeout(Duration::from_secs(args.idle_timeout))
        .remembered_idle_timeout(Duration::from_secs(args.remembered_idle_timeout))
        .concurrency(args.concurrency);
    if let Some(user) = &args.user {
        recovery = recovery.user(user);
    }
    if let Some(to) = &args.to {
        recovery = recovery.until(parse_time(&pool, to).await?);
    }
    if let Some(since) = parse_optional(&pool, args.drop_active_since.as_deref()).await? {
        recovery = recovery.drop_active_since(since);
    }
    if args.dry_run {
        recovery = recovery.dry_run();
    }
    if args.idle_from_last_write {
        recovery = recovery.idle_from_last_write();
    }
    if args.without_snapshots {
        recovery = recovery.without_snapshots();
    }
    if !args.seals.is_empty() {
        recovery = recovery.snapshots_signed_by(args.seals);
    }
    if args.over_gaps {
        recovery = recovery.over_gaps();
    }
    let bar = progress::counter(if args.dry_run { "looking at sessions" } else { "recovering sessions" });
    let counted = bar.clone();
    let report = recovery.on_progress(move |so_far| counted.set_position(so_far.sessions)).run().await;
    bar.finish_and_clear();
    let report = report?;
    if args.json {
        output::json(&as_json(&report, args.dry_run))?;
    } else {
        show(&report, args.dry_run)?;
    }
    let clean = report.problems.is_empty() && report.rows_without_session == 0;
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

fn show(report: &RecoveryReport, dry: bool) -> Result<()> {
    output::findings(&report.problems, report.more_problems)?;
    let known = report.known_until.values().max().copied().map(output::time);
    for (count, what) in [
        (report.sessions, "sessions in the trail"),
        (report.since_snapshots, "of them read from a snapshot on"),
        (report.restored, if dry { "would be put back" } else { "put back" }),
        (report.present, "are there already"),
        (report.ended, "are over"),
        (report.expired, "are past their time"),
        (report.later, "began later"),
        (report.left_out, "left out, as told above"),
        (report.epochs_raised, if dry { "epochs would be raised" } else { "epochs raised" }),
        (report.rows_without_session, "rows name no session"),
    ] {
        if count > 0 || what.starts_with("sessions") {
            output::line(format!("{count:>10} {what}"))?;
        }
    }
    if let Some(known) = known {
        output::line(format!("the trail reaches until {known}; what happened later was lost with Redis"))?;
    }
    Ok(())
}

/// Names are part of the interface.
fn as_json(report: &RecoveryReport, dry: bool) -> Value {
    let time = |at: &Timestamp| output::time(*at);
    json!({
        "dry_run": dry,
        "sessions": report.sessions,
        "restored": report.restored,
        "present": report.present,
        "ended": report.ended,
        "expired": report.expired,
        "later": report.later,
        "left_out": report.left_out,
        "epochs_raised": report.epochs_raised,
        "rows": report.rows,
        "since_snapshots": report.since_snapshots,
        "rows_without_session": report.rows_without_session,
        "known_until": report.known_until.iter()
            .map(|(shard, at)| json!({ "shard": shard.index(), "time": time(at) }))
            .collect::<Vec<_>>(),
        "problems": report.problems.iter()
            .map(|problem| json!({ "session": problem.session.to_string(), "text": problem.to_string() }))
            .collect::<Vec<_>>(),
        "more_problems": report.more_problems,
    })
}
