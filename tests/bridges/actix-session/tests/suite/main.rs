//! Our stores under actix-session: the workflows that its acceptance suite covers, told in our words and
//! over its own middleware, and what the bridge promises beyond them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    missing_docs,
    unreachable_pub,
    reason = "a test that can't go on shall stop"
)]

mod backend;
mod browser;
mod contract;
mod workflows;

/// Runs each named test over both kinds of store.
macro_rules! over_every_store {
    ($($module:ident :: $test:ident),* $(,)?) => {
        mod memory {
            $(#[actix_web::test] async fn $test() { crate::$module::$test(crate::backend::memory()).await })*
        }
        mod redis {
            $(#[actix_web::test] async fn $test() { crate::$module::$test(crate::backend::redis()).await })*
        }
    };
}

over_every_store![
    workflows::a_visitor_without_values_gets_no_cookie,
    workflows::a_visitor_signs_in_and_out,
    workflows::a_guard_sees_the_session,
    workflows::a_change_refreshes_the_lifetime,
    workflows::every_request_refreshes_the_lifetime_if_told_to,
    workflows::an_unknown_key_is_not_adopted,
    workflows::a_request_that_spans_a_logout_is_refused,
    contract::a_state_comes_back_as_it_went,
    contract::what_is_not_there_is_none,
    contract::an_update_replaces_the_whole_state,
    contract::an_update_of_a_purged_session_revives_nothing,
    contract::an_update_of_an_expired_session_begins_another,
    contract::a_state_that_cant_be_read_says_so,
    contract::the_trail_tells_which_keys_changed,
];
