//! `cloakroom snapshot`

use std::{path::PathBuf, process::ExitCode, time::Duration};

use cloakroom::audit::{Snapshots, seal::SealPublicKey};
use serde_json::json;

use crate::{Context, exit::Result, keys, output, progress};

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// After how many versions a session gets another
    #[arg(long, value_name = "VERSIONS", default_value_t = 200)]
    every: u64,
    /// How long ago a row must have been stored, in seconds; longer than any transaction of a writer takes
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    settle: u64,
    /// Signs each with the key in this file, which `cloakroom seal-key` made, and goes on only from those that are signed
    #[arg(long, value_name = "FILE")]
    seal_key: Option<PathBuf>,
    /// Goes on from snapshots of these public keys, too: those that were used before
    #[arg(long, value_name = "PUBLIC_KEY", num_args = 1.., value_parser = keys::parse_public_key, requires = "seal_key")]
    seals: Vec<SealPublicKey>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result {
    let seal_key = args.seal_key.as_deref().map(keys::read_seal_key).transpose()?;
    let pool = context.migrated_pool().await?;
    let bar = progress::counter("looking at sessions");
    let counted = bar.clone();
    let snapshots = Snapshots::new(pool, context.namespace()).every(args.every);
    let snapshots = snapshots.settle(Duration::from_secs(args.settle)).signed_by(args.seals);
    let snapshots = match seal_key {
        Some(key) => snapshots.sealed_by(key),
        None => snapshots,
    };
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
