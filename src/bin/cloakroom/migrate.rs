//! `cloakroom migrate`

use std::process::ExitCode;

use cloakroom::audit;

use crate::{Context, exit::Result, output, progress};

/// Arguments.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Changes nothing: answers with code 4 where a migration is missing
    #[arg(long)]
    check: bool,
}

pub(crate) async fn run(context: &Context, args: Args) -> Result {
    let pool = context.pool()?;
    if args.check {
        audit::check_schema(&pool).await?;
        output::line("the schema is up to date")?;
        return Ok(ExitCode::SUCCESS);
    }
    let spinner = progress::spinner("migrating");
    let done = audit::migrate(&pool).await;
    spinner.finish_and_clear();
    done?;
    output::line("the schema is up to date, with partitions for this month and the next three")?;
    Ok(ExitCode::SUCCESS)
}
