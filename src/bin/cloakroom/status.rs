//! `cloakroom status`

use std::{process::ExitCode, time::Duration};

use cloakroom::audit::{QueueStatus, ShardStatus};
use serde::Serialize;

use crate::{
    Context,
    exit::{FOUND, Result},
    output,
};

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Prints JSON
    #[arg(long)]
    json: bool,
    /// Shows every shard, not only those where something is to be seen
    #[arg(long)]
    all: bool,
    /// Again every so many seconds, until Ctrl-C
    #[arg(long, value_name = "SECONDS")]
    watch: Option<u64>,
    /// Answers with code 1 when an entry has waited longer than this
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    max_age: u64,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result {
    let queue = context.queue().await?;
    loop {
        let status = queue.status().await?;
        if args.json {
            output::json(&Report::of(context.namespace(), &status))?;
        } else {
            show(&status, args.all)?;
        }
        let Some(seconds) = args.watch else {
            let found = status.dead() > 0
                || status.shed() > 0
                || status.abandoned() > 0
                || status.oldest().is_some_and(|age| age > Duration::from_secs(args.max_age));
            return Ok(if found { ExitCode::from(FOUND) } else { ExitCode::SUCCESS });
        };
        tokio::time::sleep(Duration::from_secs(seconds.max(1))).await;
    }
}

fn show(status: &QueueStatus, all: bool) -> Result<()> {
    let something = |shard: &&ShardStatus| all || shard.entries > 0 || shard.dead > 0;
    let rows: Vec<_> = status.shards.iter().filter(something).map(row).collect();
    if !rows.is_empty() {
        output::table(["SHARD", "ENTRIES", "SIZE", "OLDEST", "DEAD", "WRITER", "LEASE"], &rows)?;
        output::line("")?;
    }
    let oldest = status
        .oldest()
        .map_or_else(|| "none waits".to_owned(), |age| format!("oldest {}", output::span(age)));
    let leased = status.shards.iter().filter(|shard| shard.lease.is_some()).count();
    if status.shed() > 0 {
        output::line(format!("{} changes were left out of the trail: too much waits", status.shed()))?;
    }
    output::line(format!(
        "{} entries, {}, {oldest}; {} dead letters; {leased} of {} shards have a writer",
        status.entries(),
        output::bytes(status.bytes()),
        status.dead(),
        status.shards.len()
    ))
}

fn row(shard: &ShardStatus) -> [String; 7] {
    let lease = shard.lease.as_ref();
    [
        shard.shard.index().to_string(),
        shard.entries.to_string(),
        output::bytes(shard.bytes),
        shard.oldest.map(output::span).unwrap_or_default(),
        shard.dead.to_string(),
        lease.map_or_else(|| "nobody".to_owned(), |lease| lease.writer.clone()),
        lease.map(|lease| output::span(lease.left)).unwrap_or_default(),
    ]
}

/// The status as JSON. Names and units are part of the interface.
#[derive(Serialize)]
struct Report<'a> {
    namespace: &'a str,
    entries: u64,
    bytes: u64,
    oldest_seconds: Option<f64>,
    dead: u64,
    shed: u64,
    abandoned_shards: usize,
    shards: Vec<Shard<'a>>,
}

#[derive(Serialize)]
struct Shard<'a> {
    shard: u16,
    entries: u64,
    bytes: u64,
    oldest_seconds: Option<f64>,
    dead: u64,
    shed: u64,
    writer: Option<&'a str>,
    lease_seconds: Option<f64>,
}

impl<'a> Report<'a> {
    fn of(namespace: &'a str, status: &'a QueueStatus) -> Self {
        let shards = status.shards.iter().map(|shard| Shard {
            shard: shard.shard.index(),
            entries: shard.entries,
            bytes: shard.bytes,
            oldest_seconds: shard.oldest.map(|age| age.as_secs_f64()),
            dead: shard.dead,
            shed: shard.shed,
            writer: shard.lease.as_ref().map(|lease| lease.writer.as_str()),
            lease_seconds: shard.lease.as_ref().map(|lease| lease.left.as_secs_f64()),
        });
        Self {
            namespace,
            entries: status.entries(),
            bytes: status.bytes(),
            oldest_seconds: status.oldest().map(|age| age.as_secs_f64()),
            dead: status.dead(),
            shed: status.shed(),
            abandoned_shards: status.abandoned(),
            shards: shards.collect(),
        }
    }
}
