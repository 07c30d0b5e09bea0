//! Our stores under tower-sessions: the workflows that its own route tests cover, told in our words and
//! over its own layer, and what the bridge promises beyond them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test that can't go on shall stop"
)]

mod backend;
mod browser;
mod contract;
mod promises;
mod routes;

/// Runs each named test over both kinds of store.
macro_rules! over_every_store {
    ($($module:ident :: $test:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $test() { crate::$module::$test(crate::backend::memory()).await })*
        }
        mod redis {
            $(#[tokio::test] async fn $test() { crate::$module::$test(crate::backend::redis()).await })*
        }
    };
}

over_every_store![
    routes::nothing_is_stored_until_something_is_written,
    routes::an_unknown_id_is_not_adopted,
    routes::a_malformed_cookie_is_replaced,
    routes::the_cookie_has_the_layers_attributes,
    routes::a_value_comes_back,
    routes::the_last_value_can_be_removed,
    routes::a_new_id_keeps_the_data_and_kills_the_old_id,
    routes::a_flush_removes_the_cookie_and_the_session,
    routes::the_expiry_can_be_changed_and_removed,
    contract::a_record_comes_back_as_it_went,
    contract::a_save_replaces_the_whole_record,
    contract::an_id_in_use_is_replaced_by_a_new_one,
    contract::deleting_twice_or_nothing_is_fine,
    contract::what_is_over_is_not_found,
    contract::large_records_are_an_error_and_many_keys_are_not,
    promises::a_late_save_revives_nothing,
    promises::a_request_that_spans_a_logout_is_refused,
    promises::of_two_saves_the_later_is_there_as_a_whole,
    promises::the_trail_tells_which_keys_changed,
];
