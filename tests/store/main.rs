//! The contract of `SessionStore`, the same tests over every store: embedded, Redis, Redis Cluster.
//!
//! Each test says what no store may get wrong; `store::SessionStore` has the list.
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
mod clients;
mod ending;
mod epoch;
mod expiry;
mod expiry_on_redis;
mod healing;
mod laid_out_on_redis;
mod life;
mod merging;
mod operations;
mod remembered_on_redis;
mod repeats;
mod shapes;
mod users;

/// Runs each named test over every store.
macro_rules! over_every_store {
    ($($module:ident :: $test:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $test() { crate::$module::$test(crate::backend::memory()).await })*
        }
        mod redis {
            $(#[tokio::test] async fn $test() { crate::$module::$test(crate::backend::redis()).await })*
        }
        mod cluster {
            $(#[tokio::test] async fn $test() { crate::$module::$test(crate::backend::cluster()).await })*
        }
    };
}

over_every_store![
    life::a_session_is_created_and_found,
    life::an_unknown_address_is_missing_and_stays_so,
    life::a_load_refreshes_and_a_peek_does_not,
    life::nothing_answers_past_the_deadline,
    life::an_address_is_used_once,
    merging::different_keys_merge,
    merging::a_watched_key_conflicts,
    merging::a_watched_key_that_was_removed_conflicts,
    merging::an_unwatched_key_is_overwritten,
    merging::strict_conflicts_on_anything,
    merging::the_last_write_wins_if_told_to,
    merging::clear_removes_what_others_wrote,
    merging::a_forked_base_conflicts,
    merging::too_far_behind_changes_nothing,
    merging::thirty_two_writers_of_different_keys,
    operations::operations_come_to_the_same_everywhere,
    operations::a_repeated_operation_happens_once,
    operations::a_sign_in_anew_is_one_commit,
    operations::the_grace_ends_and_is_remembered,
    repeats::a_repeated_create_is_the_same_session,
    repeats::a_repeated_commit_happens_once,
    repeats::an_event_is_no_repeat_of_the_halves_of_two_others,
    repeats::a_repeated_commit_tells_what_others_wrote,
    repeats::a_repeated_end_answers_the_same_fields,
    repeats::a_repeated_renewal_happens_once,
    ending::an_end_is_final,
    ending::an_end_has_one_winner,
    ending::a_commit_after_the_end_revives_nothing,
    ending::a_renewed_session_is_found_by_both,
    ending::a_commit_at_the_old_address_is_told_where_to_go,
    ending::the_old_address_ends_the_successor_by_its_new_one,
    shapes::values_come_back_as_they_went,
    shapes::a_secret_stays_marked,
    shapes::many_keys_and_large_values,
    shapes::a_change_of_too_many_keys_is_refused_whole,
    epoch::what_was_before_is_void,
    epoch::a_request_under_way_commits_nothing,
    epoch::the_trail_tells_it_once_for_each_shard,
    users::twenty_sign_ins_at_a_time_list_twenty,
    users::a_list_tells_what_may_be_told,
    users::a_list_holds_no_secret,
    users::an_end_leaves_the_list,
    users::what_ran_out_is_not_listed,
    users::a_renewal_keeps_its_handle,
    users::a_hundred_sign_ins_leave_three,
    users::the_oldest_or_the_least_used_gives_way,
    users::the_dead_do_not_count,
    users::a_place_is_held_for_a_sign_in_under_way,
    users::another_users_handle_names_nothing,
    users::one_others_all,
    users::a_sign_in_under_way_is_revoked,
    users::a_revocation_gives_held_places_back,
    users::renewals_do_not_escape_a_revocation,
    users::after_revoke_all_none_works,
    expiry::four_sweepers_tell_of_each_end_once,
    expiry::what_ran_out_while_nobody_was_there_is_found,
    expiry::what_is_in_use_is_left_alone,
    expiry::past_its_deadline_it_ends_for_that_reason,
    expiry::the_void_are_ended,
    expiry::a_renewed_session_ends_under_its_new_name,
    expiry::what_ended_otherwise_is_not_told_again,
    expiry::the_list_holds_what_lives,
    expiry::a_session_that_ran_out_leaves_its_users_list,
];
