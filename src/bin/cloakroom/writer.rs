//! `cloakroom writer`

use std::{
    io::{IsTerminal as _, stderr},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use cloakroom::{
    audit::{AuditQueue, AuditWriter, Stop, check_schema},
    error::ErrorKind,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::{Context, exit::Result, keys, output};

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What the leases call this writer [default: HOSTNAME and the process id]
    #[arg(long)]
    name: Option<String>,
    /// Rows of an insert, 1 to 5000
    #[arg(long, default_value_t = 500)]
    batch: u16,
    /// Inserts at a time, 1 to 16, each with a connection
    #[arg(long, default_value_t = 4)]
    concurrency: u8,
    /// Seals what it stores with the key in this file, which `cloakroom seal-key` made
    #[arg(long, value_name = "FILE", env = "CLOAKROOM_SEAL_KEY_FILE")]
    seal_key: Option<PathBuf>,
    /// Seconds that it goes on storing after SIGTERM or Ctrl-C
    #[arg(long, default_value_t = 5)]
    flush: u64,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    // Colours are for people, and in a log file only noise.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    log.with_ansi(stderr().is_terminal()).init();
    // Before anything is stored without it.
    let seal_key = args.seal_key.as_deref().map(keys::read_seal_key).transpose()?;
    // From here on, so that no signal ends the process in the old way.
    let mut signals = Signals::new()?;

    let pool = context.pool()?;
    match check_schema(&pool).await {
        // It waits for PostgreSQL, as it does later on: it must start also in an outage.
        Err(error) if error.kind() == ErrorKind::Unavailable => {
            tracing::warn!("PostgreSQL does not answer yet: entries wait in Redis");
        }
        checked => checked?,
    }
    let Some(queue) = await_namespace(context, &mut signals).await? else { return Ok(ExitCode::SUCCESS) };

    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "writer".to_owned());
    let name = args.name.unwrap_or_else(|| format!("{host}:{}", std::process::id()));
    let writer = AuditWriter::new(queue, pool).name(name).batch(args.batch).concurrency(args.concurrency);
    let writer = writer.flush(Duration::from_secs(args.flush));
    let writer = match seal_key {
        Some(key) => writer.seal(Some(key)),
        None => writer,
    };
    let stop = writer.stop_handle();
    let asking = tokio::spawn(stop_on(signals, stop));
    let report = writer.run().await;
    asking.abort();
    output::line(format!(
        "{} stored, {} duplicates, {} dead letters{}",
        report.stored,
        report.duplicates,
        report.dead,
        if report.flushed { "" } else { "; what still waits is in Redis, for the next writer" }
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// The writer may be started before the first instance of the application: the namespace is then made by that.
/// `None` where somebody asked to stop meanwhile.
async fn await_namespace(context: &Context, signals: &mut Signals) -> Result<Option<AuditQueue>> {
    let mut told = false;
    loop {
        match context.queue_if_there().await {
            Ok(Some(queue)) => return Ok(Some(queue)),
            Ok(None) => {
                if !std::mem::replace(&mut told, true) {
                    let namespace = context.namespace();
                    tracing::warn!(namespace, "waiting for the first application that uses this namespace");
                }
            }
            Err(failure) => return Err(failure),
        }
        if tokio::time::timeout(Duration::from_secs(1), signals.next()).await.is_ok() {
            return Ok(None);
        }
    }
}

async fn stop_on(mut signals: Signals, stop: Stop) {
    signals.next().await;
    tracing::info!("asked to stop: storing what waits");
    stop.stop();
    signals.next().await;
    // Nothing is lost by it: entries are deleted after they are stored.
    tracing::warn!("asked twice: stopping at once");
    std::process::exit(130);
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
