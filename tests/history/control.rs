//! The checker's own test: it is content with the scripts as they are, and finds each way to break them.

use servers::Redis;

use crate::{
    app::Act,
    checker::{Violation, check},
    history::Browser,
    mutants::{MUTANTS, Mutant},
    proxy::Proxy,
    site::Site,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scripts_as_they_are_pass_through_the_proxy_and_lost_replies() {
    let violations = run(None).await;
    assert!(violations.is_empty(), "{violations:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_script_is_caught() {
    for mutant in MUTANTS {
        let found = mutant.source.matches(mutant.find).count();
        assert_eq!(
            found, 1,
            "{}: the script has {:?} {found} times, not once: mend tests/history/mutants.rs",
            mutant.name, mutant.find
        );
        let violations = run(Some(mutant)).await;
        assert!(
            violations.iter().any(|violation| violation.of == mutant.breaks),
            "{}: {:?} is broken, and the checker found {violations:?}",
            mutant.name,
            mutant.breaks
        );
    }
}

async fn run(mutant: Option<&'static Mutant>) -> Vec<Violation> {
    let redis = Redis::start().unwrap();
    let proxy = Proxy::to(redis.port(), mutant).await;
    let mut site = Site::open(&proxy.url(), &redis.url()).await;
    for task in (0..4).map(|seed| site.rush(seed, 20)).collect::<Vec<_>>() {
        task.await.unwrap();
    }
    site.overlaps().await;
    // A reply that never comes: the same is asked for again.
    let browser = Browser::default();
    for act in
        [Act::Set("a"), Act::Set("a"), Act::Add, Act::Renew, Act::ReadSet("a"), Act::Login, Act::Logout]
    {
        let lost = proxy.lost();
        proxy.lose_a_reply();
        site.visit(&browser, act, None).await;
        assert_eq!(proxy.lost(), lost + 1, "the reply to {act:?} was lost");
        site.visit(&browser, Act::Look, None).await;
    }
    site.lifetimes().await;
    let evidence = site.close().await;
    if let Some(mutant) = mutant {
        assert!(proxy.replaced() > 0, "{}: the broken script never ran", mutant.name);
    }
    check(&evidence)
}
