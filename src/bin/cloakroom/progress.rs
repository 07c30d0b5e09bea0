//! Progress of long work, on stderr, and only where a person looks.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over so many steps. Where stderr is no terminal, nothing is drawn.
pub(crate) fn bar(steps: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
    bar.set_style(style("{msg} {wide_bar} {pos}/{len} {eta}"));
    bar.with_message(what)
}

/// For work whose end is not known.
pub(crate) fn spinner(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(style("{spinner} {msg} {elapsed}"));
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(100));
    }
    bar.with_message(what)
}

/// For work whose end is not known, with how much is done.
pub(crate) fn counter(what: &'static str) -> ProgressBar {
    let bar = spinner(what);
    bar.set_style(style("{spinner} {msg} {pos} ({per_sec}) {elapsed}"));
    bar
}

/// The templates above are right; were one not, the default serves.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
