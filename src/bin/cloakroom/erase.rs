//! `cloakroom erase`

use std::process::ExitCode;

use cloakroom::audit::seal;
use serde_json::json;

use crate::{
    Context,
    exit::{FOUND, Result},
    output, progress,
};

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The user's id, as the application signs users in
    #[arg(long)]
    user: String,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result {
    let pool = context.migrated_pool().await?;
    let spinner = progress::spinner("erasing");
    let erased = seal::erase(&pool, context.namespace(), &args.user).await;
    spinner.finish_and_clear();
    let erased = erased?;
    if args.json {
        output::json(&json!({
            "rows": erased.rows,
            "unsealed_rows": erased.unsealed,
            "notes_of_dead_letters": erased.notes,
        }))?;
    } else {
        output::line(format!(
            "{} rows hold nothing of that user any more, {} of them never sealed; {} notes of dead letters",
            erased.rows, erased.unsealed, erased.notes
        ))?;
    }
    Ok(if erased.rows + erased.notes == 0 { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
}
