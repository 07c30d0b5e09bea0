//! `cloakroom snapshot`

use std::{process::ExitCode, time::Duration};

use cloakroom::audit::Snapshots;
use serde_json::json;

use crate::{Context, exit::Result, output, progress};

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// After how many versions a session gets another
    #[arg(long, value_name = "VERSIONS", default_value_t = 200)]
    every: u64,
    /// How long ago a row must have been stored, in seconds; longer than any transaction of a writer takes
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    settle: u64,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result {
    let pool = context.migrated_pool().await?;
    let bar = progress::counter("looking at sessions");
    let counted = bar.clone();
    let snapshots = Snapshots::new(pool, context.namespace()).every(args.every);
    let snapshots = snapshots.settle(Duration::from_secs(args.settle));
    let report = snapshots.on_progress(move |so_far| counted.set_position(so_far.sessions)).run().await;
    bar.finish_and_clear();
    let report = report?;
    if args.json {
        output::json(&json!({ "sessions": report.sessions, "rows": report.rows, "snapshots": report.made }))?;
    } else {
        output::line(format!(
            "{} snapshots of {} sessions, of which {} rows were read",
            report.made, report.sessions, report.rows
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
