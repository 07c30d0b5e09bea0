//! Random programs of requests, run through the layer and through a small model of what it promises.
//!
//! The model (`model.rs`, `request.rs`) is written from the documentation, not from the code: what each
//! client must be told, which status and which cookie it must get, whatever requests overlap. Where the two
//! differ, proptest shrinks the program to the few requests that matter.
//!
//! The programs are the same in each run. For other ones, and more: `MODEL_ROUNDS=50 MODEL_SEED=7 cargo
//! test --test model` (a round is as long as the usual run).
//!
//! A new operation is a variant of [`program::Step`] with its weight, a line of its `Display` (which is what
//! the driver sends), and an arm of [`request::Request::step`].

// A test that fails should panic, at the line where it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod driver;
mod effect;
/// The application under test, as the behaviour suite has it.
#[allow(dead_code, unused_imports)]
#[path = "../http/harness/mod.rs"]
mod harness;
#[path = "../support/meta.rs"]
mod meta;
mod model;
mod program;
mod request;

use harness::{Adapter, Backend, Setup};
use proptest::{
    strategy::Strategy,
    test_runner::{Config, FileFailurePersistence, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};

#[test]
fn a_store_in_memory_does_what_the_model_says() {
    rounds(Backend::Memory, 600);
}

#[test]
fn redis_does_what_the_model_says() {
    rounds(Backend::Redis, 200);
}

#[test]
fn a_cluster_does_what_the_model_says() {
    rounds(Backend::Cluster, 40);
}

fn rounds(backend: Backend, cases: u32) {
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    let (rounds, seed) = (number("MODEL_ROUNDS").unwrap_or(1), number("MODEL_SEED").unwrap_or(0));
    for round in 0..rounds {
        Setup::run(Adapter::Tower, backend, |setup| run(setup, backend, cases, seed + round));
    }
}

/// All programs share one application: each begins with clients of its own.
async fn run(setup: Setup, backend: Backend, cases: u32, seed: u64) {
    let world = setup.start().await;
    let other = world.another_instance();
    let config = Config {
        cases,
        max_shrink_iters: 2000,
        failure_persistence: None::<Box<FileFailurePersistence>>.map(|never| never as _),
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let programs = program::programs(backend == Backend::Memory);
    let result = runner.run(&programs.prop_map(program::Program), |program| {
        let done = driver::run(&world, &other, &program.0);
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(done))
            .map_err(TestCaseError::fail)
    });
    if let Err(error) = result {
        panic!("seed {seed}: {error}");
    }
}
