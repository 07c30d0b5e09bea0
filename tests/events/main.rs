//! Events: each change is told to every instance, in order, once; what a lost connection swallowed is caught up;
//! what can't be is said; and nobody gets anything by forging one.
//!
//! Two instances over each store: one acts, the other listens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test that can't go on shall stop"
)]

mod catching_up;
mod costs;
mod ending;
mod forged;
mod telling;
mod world;

/// Runs each named test over every store.
macro_rules! over_every_store {
    ($($module:ident :: $test:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $test() { crate::$module::$test(crate::world::memory()).await })*
        }
        mod redis {
            $(#[tokio::test] async fn $test() { crate::$module::$test(crate::world::redis()).await })*
        }
        mod cluster {
            $(#[tokio::test] async fn $test() { crate::$module::$test(crate::world::cluster()).await })*
        }
    };
}

over_every_store![
    telling::every_change_is_told_with_what_it_was,
    telling::a_user_hears_of_his_own_sessions_only,
    telling::a_session_is_followed_through_its_renewal,
    telling::the_epoch_is_told_to_everybody,
    telling::hundreds_of_changes_come_in_order_and_once,
    telling::a_reader_that_is_too_slow_is_told_so,
    telling::neither_values_nor_tokens_are_told,
    catching_up::a_reader_that_was_away_goes_on_where_it_was,
    catching_up::a_position_that_is_too_old_is_told_so,
    catching_up::a_place_in_another_log_is_told_to_be_no_place,
    ending::whoever_waits_learns_why_on_another_instance,
    ending::an_end_is_found_without_events,
    ending::a_renewal_is_no_end,
    ending::waiting_keeps_nothing_alive_and_touching_does,
];
