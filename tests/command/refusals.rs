//! What is wrong is told in words that help, with a code for scripts, and without a password.

use crate::{
    program::{command, run},
    site::shared,
};

const REF: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_settings_are_code_2_and_name_the_setting() {
    let site = shared().await;
    let (redis, postgres) = (site.redis_url.as_str(), site.postgres_url.as_str());
    for (arguments, told) in [
        (vec!["status"], "--redis"),
        (vec!["migrate"], "--postgres"),
        (vec!["explain", REF], "--postgres"),
        (vec!["status", "--redis", "http://:hunter2@localhost"], "redis"),
        (vec!["migrate", "--postgres", "mysql://root:hunter2@localhost/x"], "postgres://"),
        (vec!["status", "--redis", "redis://:hunter2@192.0.2.1"], "rediss"),
        (vec!["migrate", "--postgres", "postgres://a:hunter2@192.0.2.1/x"], "sslmode"),
        (vec!["dead", "show", "letter", "--redis", redis], "7/1700000000123-0"),
        (vec!["status", "--redis", redis, "--namespace", "a b"], "namespace"),
        (vec!["migrate", "--postgres", postgres, "--no-such-option"], "--no-such-option"),
        (vec!["status", "--redis", redis, "--shards", "3"], "shards"),
    ] {
        let run = run(command(&arguments)).await;
        assert!(run.code == 2 && run.err.contains(told), "{arguments:?}: {run:?}");
        assert!(!format!("{run:?}").contains("hunter2"), "{arguments:?}: {run:?}");
    }
    assert_eq!(run(command(&["--version"])).await.code, 0);
    // clap shows a variable's value in its help, were it not told to hide it.
    let mut help = command(&["status", "--help"]);
    help.env("REDIS_URL", "redis://:hunter2@localhost")
        .env("DATABASE_URL", "postgres://a:hunter2@localhost/x");
    let help = run(help).await;
    assert!(help.code == 0 && help.out.contains("REDIS_URL") && !help.out.contains("hunter2"), "{help:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_is_code_3() {
    let (mut redis, mut postgres) = (servers::Redis::start().unwrap(), servers::Postgres::start().unwrap());
    let urls = (redis.url(), postgres.url());
    redis.kill().unwrap();
    postgres.kill().unwrap();
    for arguments in [
        vec!["status", "--redis", &urls.0],
        vec!["migrate", "--postgres", &urls.1],
        vec!["explain", REF, "--postgres", &urls.1],
    ] {
        let run = run(command(&arguments)).await;
        assert!(run.code == 3 && run.err.starts_with("error: "), "{arguments:?}: {run:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_and_not_as_needed_is_code_4_and_says_what_to_do() {
    let site = shared().await;
    let shards = site.run(&["status", "--shards", "16"]).await;
    assert!(shards.code == 4 && shards.err.contains("2 shards") && shards.err.contains("16"), "{shards:?}");
    let unknown = site.run(&["dead", "list", "--namespace", "mistyped"]).await;
    assert!(unknown.code == 4 && unknown.err.contains("mistyped"), "{unknown:?}");
    let keys = servers_keys(&site.redis_url, "mistyped:*").await;
    assert_eq!(keys, Vec::<String>::new(), "and none is made");

    sqlx::raw_sql("DELETE FROM cloakroom.migrations WHERE version > 1").execute(&site.pool).await.unwrap();
    for arguments in
        [vec!["explain", REF], vec!["writer"], vec!["migrate", "--check"], vec!["sessions", "--user", "a"]]
    {
        let old = site.run(&arguments).await;
        assert!(old.code == 4 && old.err.contains("cloakroom migrate"), "{arguments:?}: {old:?}");
    }
    sqlx::raw_sql("DROP SCHEMA cloakroom CASCADE").execute(&site.pool).await.unwrap();
    let none = site.run(&["writer"]).await;
    assert!(none.code == 4 && none.err.contains("cloakroom migrate"), "{none:?}");
}

async fn servers_keys(url: &str, pattern: &str) -> Vec<String> {
    let client = redis::Client::open(url).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("KEYS").arg(pattern).query_async(&mut redis).await.unwrap()
}
