//! One Redis server, through its public door.

use std::{
    io,
    net::TcpStream,
    os::unix::net::UnixStream,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use servers::Redis;

#[test]
fn answers_on_the_port_and_on_the_socket() -> io::Result<()> {
    let redis = Redis::start()?;
    assert_eq!(redis.command(&["PING"])?, "PONG");
    assert_eq!(redis.url(), format!("redis://127.0.0.1:{}", redis.port()));
    UnixStream::connect(redis.socket())?;
    assert!(redis.log().contains("Ready to accept connections"));
    Ok(())
}

#[test]
fn arguments_are_binary_safe_and_errors_are_errors() -> io::Result<()> {
    let redis = Redis::start()?;
    redis.command(&["SET", "a\r\nb \0", "$3\r\nä"])?;
    assert_eq!(redis.command(&["KEYS", "*"])?, "a\r\nb \0");
    assert_eq!(redis.command(&["STRLEN", "a\r\nb \0"])?, "6");
    assert_eq!(redis.command(&["GET", "none"])?, "(nil)");

    let error = redis.command(&["INCR", "a\r\nb \0"]).unwrap_err();
    assert!(error.to_string().starts_with("ERR value is not"), "{error}");
    Ok(())
}

#[test]
fn a_durable_server_keeps_its_data_over_a_kill() -> io::Result<()> {
    let mut redis = Redis::durable()?;
    redis.command(&["SET", "k", "v"])?;
    let (pid, port) = (redis.pid(), redis.port());

    redis.kill()?;
    let error = TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    redis.kill()?; // killing the dead is no error

    redis.restart()?;
    assert_eq!(redis.command(&["GET", "k"])?, "v");
    assert_eq!(redis.port(), port);
    assert_ne!(redis.pid(), pid);
    Ok(())
}

#[test]
fn a_plain_server_loses_its_data_over_a_restart() -> io::Result<()> {
    let mut redis = Redis::start()?;
    redis.command(&["SET", "k", "v"])?;
    redis.restart()?; // without a kill before
    assert_eq!(redis.command(&["GET", "k"])?, "(nil)");
    Ok(())
}

#[test]
fn a_paused_server_answers_only_after_resume() -> io::Result<()> {
    let redis = Redis::start()?;
    redis.pause()?;
    thread::scope(|scope| {
        let (sender, answer) = mpsc::channel();
        let redis = &redis;
        scope.spawn(move || sender.send(redis.command(&["PING"])));

        let early = answer.recv_timeout(Duration::from_millis(100));
        assert!(matches!(early, Err(RecvTimeoutError::Timeout)), "{early:?}");
        redis.resume()?;
        assert_eq!(answer.recv().unwrap()?, "PONG");
        Ok(())
    })
}

#[test]
fn a_paused_server_can_be_killed_and_dropped() -> io::Result<()> {
    let mut redis = Redis::durable()?;
    redis.pause()?;
    redis.kill()?;
    redis.restart()?;
    assert_eq!(redis.command(&["PING"])?, "PONG");
    redis.pause()
}

#[test]
fn counts_calls() -> io::Result<()> {
    let redis = Redis::start()?;
    redis.command(&["GET", "before"])?;
    redis.reset_stats()?;
    redis.command(&["GET", "a"])?;
    redis.command(&["GET", "b"])?;
    redis.command(&["EVAL", "return redis.call('set', 'c', 1)", "0"])?;
    redis.command(&["CONFIG", "GET", "maxmemory"])?;

    let calls = redis.command_calls();
    assert_eq!(calls.get("get"), Some(&2), "{calls:?}");
    assert_eq!(calls.get("eval"), Some(&1), "{calls:?}");
    assert_eq!(calls.get("set"), Some(&1), "{calls:?}");
    assert_eq!(calls.get("config|get"), Some(&1), "{calls:?}");
    Ok(())
}

#[test]
fn options_override() -> io::Result<()> {
    let redis = Redis::with(&["--maxmemory", "10mb", "--appendonly", "yes"])?;
    let maxmemory = redis.command(&["CONFIG", "GET", "maxmemory"])?;
    assert_eq!(maxmemory, "maxmemory\n10485760");
    let appendonly = redis.command(&["CONFIG", "GET", "appendonly"])?;
    assert_eq!(appendonly, "appendonly\nyes");
    Ok(())
}

#[test]
fn a_failed_start_shows_the_log() {
    let error = Redis::with(&["--no-such-option", "1"]).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no-such-option"), "{text}");
}

#[test]
fn drop_takes_everything_away() -> io::Result<()> {
    let redis = Redis::durable()?;
    let (dir, port) = (redis.dir().to_owned(), redis.port());
    assert!(dir.exists());
    drop(redis);
    assert!(!dir.exists());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    Ok(())
}

#[test]
fn many_at_once_do_not_meet() -> io::Result<()> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|i| {
                scope.spawn(move || {
                    let redis = Redis::start()?;
                    redis.command(&["SET", "who", &i.to_string()])?;
                    io::Result::Ok((redis, i.to_string()))
                })
            })
            .collect();
        let all: io::Result<Vec<_>> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        for (redis, who) in &all? {
            assert_eq!(redis.command(&["GET", "who"])?, *who);
        }
        Ok(())
    })
}

#[test]
fn a_replica_follows_until_it_is_cut_off_and_then_stands_alone() -> io::Result<()> {
    let mut primary = Redis::start()?;
    primary.command(&["SET", "k", "1"])?;
    let replica = Redis::replica_of(&primary)?;
    assert_eq!(replica.command(&["GET", "k"])?, "1");
    primary.command(&["SET", "k", "2"])?;
    primary.wait_for_replica()?;
    assert_eq!(replica.command(&["GET", "k"])?, "2");

    replica.cut_off()?;
    primary.command(&["SET", "k", "3"])?;
    primary.kill()?;
    replica.promote()?;
    assert_eq!(replica.command(&["GET", "k"])?, "2");
    replica.command(&["SET", "k", "4"])?;
    Ok(())
}
