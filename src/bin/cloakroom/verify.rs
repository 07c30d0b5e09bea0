//! `cloakroom verify`

use std::{process::ExitCode, time::Duration};

use cloakroom::audit::{
    Verify,
    seal::{SealPublicKey, Verifier},
    verify::{Problem, VerifyReport},
};
use serde_json::{Value, json};

use crate::{
    Context,
    exit::{FOUND, Result},
    keys::{self, Pepper},
    output, progress,
    time::parse_optional,
};

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Trusts seals and snapshots of these public keys, as `cloakroom seal-key` prints them, and no others
    #[arg(long, value_name = "PUBLIC_KEY", num_args = 1.., value_parser = keys::parse_public_key)]
    seals: Vec<SealPublicKey>,
    /// Expects a seal with this hash, which was kept outside the database: 64 hex digits
    #[arg(long, value_name = "HASH", value_parser = anchor)]
    anchor: Vec<Anchor>,
    /// Leaves out seals with rows before this time, whose partitions were dropped
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The application's idle timeout in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    idle_timeout: u64,
    #[command(flatten)]
    pepper: Pepper,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone)]
struct Anchor([u8; 32]);

fn anchor(text: &str) -> Result<Anchor, &'static str> {
    keys::bytes(text).map(Anchor).ok_or("64 hex digits are expected")
}

pub(crate) async fn run(context: &Context, args: Args) -> Result {
    let pool = context.migrated_pool().await?;
    let store = args.pepper.give(context.builder(context.shard_count().await?)?)?.build()?;
    let mut verifier = Verifier::new();
    for key in args.seals {
        verifier = verifier.key(key);
    }
    for Anchor(hash) in args.anchor {
        verifier = verifier.anchor(hash);
    }
    if let Some(since) = parse_optional(&pool, args.since.as_deref()).await? {
        verifier = verifier.since(i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_mul(1000));
    }
    let bar = progress::counter("verifying sessions");
    let counted = bar.clone();
    let verify = Verify::new(&store, pool).seals(verifier);
    let verify = verify.idle_timeout(Duration::from_secs(args.idle_timeout));
    let report = verify.on_progress(move |so_far| counted.set_position(so_far.sessions)).run().await;
    bar.finish_and_clear();
    let report = report?;
    if args.json {
        output::json(&as_json(&report))?;
    } else {
        show(&report)?;
    }
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

fn show(report: &VerifyReport) -> Result<()> {
    output::findings(&report.problems, report.more_problems)?;
    output::findings(report.untold.iter().map(|key| format!("{key}: the trail knows nothing of it")), 0)?;
    output::findings(report.trail.findings.iter().map(|finding| format!("{finding:?}")), 0)?;
    output::findings(&report.told_gaps, 0)?;
    let trail = &report.trail;
    output::line(format!(
        "{} sessions, {} of them alive, {} with entries that wait",
        report.sessions, report.alive, report.waiting
    ))?;
    output::line(format!(
        "{} rows ({} never sealed, {} erased) under {} seals, {} of them signed by a key that was given",
        trail.rows, trail.unsealed_rows, trail.erased_rows, trail.seals, trail.signed_seals
    ))?;
    output::line(if report.is_sound() { "nothing is wrong" } else { "something is wrong, as told above" })
}

/// Names are part of the interface.
fn as_json(report: &VerifyReport) -> Value {
    let problems = |problems: &[Problem]| {
        let problem = |problem: &Problem| json!({ "session": problem.session.to_string(), "text": problem.to_string() });
        problems.iter().map(problem).collect::<Vec<_>>()
    };
    let trail = &report.trail;
    json!({
        "sound": report.is_sound(),
        "sessions": report.sessions,
        "alive": report.alive,
        "waiting": report.waiting,
        "problems": problems(&report.problems),
        "more_problems": report.more_problems,
        "told_gaps": problems(&report.told_gaps),
        "untold": report.untold,
        "rows": trail.rows,
        "unsealed_rows": trail.unsealed_rows,
        "erased_rows": trail.erased_rows,
        "seals": trail.seals,
        "signed_seals": trail.signed_seals,
        "findings": trail.findings.iter().map(|finding| format!("{finding:?}")).collect::<Vec<_>>(),
    })
}
