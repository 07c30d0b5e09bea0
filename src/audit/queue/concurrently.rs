//! Many small futures at once.

use tokio::task::JoinSet;

/// Runs them all and answers in the order in which they end. Dropping it cancels those that still run.
///
/// A task each, and not one future that polls all: with thousands of shards, polling every one whenever
/// one is ready would be quadratic.
pub(super) async fn concurrently<F>(futures: impl Iterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut tasks: JoinSet<F::Output> = futures.collect();
    let mut answers = Vec::with_capacity(tasks.len());
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok(answer) => answers.push(answer),
            // Nothing cancels these tasks, so this is a panic of theirs: it belongs to whoever asked.
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }
    answers
}
