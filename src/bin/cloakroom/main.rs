//! The `cloakroom` command: the audit trail's writer as a process of its own, and an operator's view of the
//! queue, the dead letters and the trail; recovery, verification and revocation.
//!
//! `cargo install cloakroom --features cli`
//!
//! | exit code | means |
//! |---|---|
//! | 0 | done, and nothing to report |
//! | 1 | done, and something was found: dead letters, entries that wait for nobody, a session that does not verify or come back, nothing under that name |
//! | 2 | the arguments or a setting are wrong |
//! | 3 | Redis or PostgreSQL did not answer |
//! | 4 | they are there and not as needed: a migration is missing, the shard count is another, no such namespace |
//! | 70 | anything else, which is a bug or broken data |
//!
//! One file a subcommand, each with its `Args` and `run`.

mod context;
mod dead;
mod erase;
mod exit;
mod explain;
mod keys;
mod migrate;
mod output;
mod progress;
mod recover;
mod revoke;
mod seal_key;
mod sessions;
mod snapshot;
mod status;
mod time;
mod verify;
mod writer;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use context::{Context, Options};

/// Server-side sessions: the audit trail's writer, and an operator's view of it.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Command {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    subcommand: Sub,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 done, something was found; 2 wrong arguments or settings; \
3 Redis or PostgreSQL did not answer; 4 not set up as needed (migration, shard count, namespace); 70 other errors.";

// A further subcommand is a file with `Args` and `run`, a line here and a line in `main`.
#[derive(Subcommand)]
enum Sub {
    /// Makes the trail's schema in PostgreSQL, or brings it up to date
    Migrate(migrate::Args),
    /// Drains the queue into PostgreSQL until SIGTERM or Ctrl-C
    Writer(writer::Args),
    /// Tells what waits in the queue: entries, bytes, age of the oldest, leases, dead letters
    Status(status::Args),
    /// Lists, shows, retries and drops dead letters
    Dead(dead::Args),
    /// Tells a session's history: who wrote which key when
    Explain(explain::Args),
    /// Lists a user's sessions, those that are over too
    Sessions(sessions::Args),
    /// Puts sessions back into a Redis that lost them, from the trail
    Recover(recover::Args),
    /// Writes down what long sessions came to, so that a recovery reads less
    Snapshot(snapshot::Args),
    /// Holds Redis and the trail against one another, and the trail against its seals
    Verify(verify::Args),
    /// Makes a key by which writers seal the trail, or shows its public half
    SealKey(seal_key::Args),
    /// Erases what the trail tells of a user; the trail still verifies
    Erase(erase::Args),
    /// Lists or ends a user's sessions, or ends those of everybody
    Revoke(revoke::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command { options, subcommand } = Command::parse();
    let context = Context::new(options);
    let done = match subcommand {
        Sub::Migrate(args) => migrate::run(&context, args).await,
        Sub::Writer(args) => writer::run(&context, args).await,
        Sub::Status(args) => status::run(&context, args).await,
        Sub::Dead(args) => dead::run(&context, args).await,
        Sub::Snapshot(args) => snapshot::run(&context, args).await,
        Sub::Explain(args) => explain::run(&context, args).await,
        Sub::Sessions(args) => sessions::run(&context, args).await,
        Sub::Recover(args) => recover::run(&context, args).await,
        Sub::Verify(args) => verify::run(&context, args).await,
        Sub::SealKey(args) => seal_key::run(&args),
        Sub::Erase(args) => erase::run(&context, args).await,
        Sub::Revoke(args) => revoke::run(&context, args).await,
    };
    done.unwrap_or_else(exit::Failure::report)
}
