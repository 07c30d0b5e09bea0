//! One PostgreSQL server, through its public door.

use std::{
    fs, io,
    net::TcpStream,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use servers::Postgres;

#[test]
fn runs_sql_in_its_databases() -> io::Result<()> {
    let postgres = Postgres::start()?;
    assert_eq!(postgres.psql("select 1, null, 'ä'; select 2")?, "1||ä\n2");

    let url = postgres.create_database("a \"b\"")?;
    assert!(url.starts_with("postgres://postgres@127.0.0.1:"), "{url}");
    let name = postgres.psql_in("a \"b\"", "select current_database()")?;
    assert_eq!(name, "a \"b\"");

    let error = postgres.psql("select 1; select nonsense").unwrap_err();
    assert!(error.to_string().contains("nonsense"), "{error}");
    Ok(())
}

#[test]
fn keeps_its_data_over_a_kill_in_the_middle_of_work() -> io::Result<()> {
    let postgres = Postgres::start()?;
    postgres.psql("create table t (n int); insert into t values (1)")?;
    let (pid, port) = (postgres.pid(), postgres.port());

    thread::scope(|scope| {
        // A backend that never looks up from its work would outlive its postmaster.
        let work = scope.spawn(|| postgres.psql("select count(*) from generate_series(1, 1e12)"));
        while postgres.psql("select count(*) from pg_stat_activity where query like '%1e12%'")?
            < "2".into()
        {}
        postgres.kill()?;
        assert!(work.join().unwrap().is_err());
        io::Result::Ok(())
    })?;
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    postgres.kill()?; // killing the dead is no error

    postgres.restart()?;
    assert_eq!(postgres.psql("select n from t")?, "1");
    assert_eq!(postgres.port(), port);
    assert_ne!(postgres.pid(), pid);

    postgres.stop_immediate()?;
    assert!(postgres.psql("select 1").is_err());
    postgres.restart()?;
    postgres.restart()?; // without a stop before
    assert_eq!(postgres.psql("select n from t")?, "1");
    Ok(())
}

#[test]
fn a_paused_server_answers_only_after_resume() -> io::Result<()> {
    let postgres = Postgres::start()?;
    postgres.pause()?;
    thread::scope(|scope| {
        let (sender, answer) = mpsc::channel();
        let postgres = &postgres;
        scope.spawn(move || sender.send(postgres.psql("select 7")));

        let early = answer.recv_timeout(Duration::from_millis(200));
        assert!(matches!(early, Err(RecvTimeoutError::Timeout)), "{early:?}");
        postgres.resume()?;
        assert_eq!(answer.recv().unwrap()?, "7");
        Ok(())
    })
}

#[test]
fn two_in_parallel_with_settings_of_their_own() -> io::Result<()> {
    thread::scope(|scope| {
        let one = scope.spawn(Postgres::start);
        let two = scope.spawn(|| Postgres::with(&["fsync=on", "log_statement=all"]));
        let (one, two) = (one.join().unwrap()?, two.join().unwrap()?);
        assert_eq!(one.psql("show fsync")?, "off");
        assert_eq!(two.psql("show fsync")?, "on");
        assert!(two.log().contains("statement: show fsync"));

        let dir = one.dir().to_owned();
        one.pause()?;
        drop(one);
        assert!(!dir.exists());
        Ok(())
    })
}

#[test]
fn a_failed_start_shows_the_log() {
    let text = Postgres::with(&["no_such_setting=1"])
        .unwrap_err()
        .to_string();
    assert!(text.contains("no_such_setting"), "{text}");
}

/// On Linux only, where the kernel lists the segments in a file.
#[test]
fn a_kill_leaves_no_shared_memory() -> io::Result<()> {
    let Ok(_) = fs::read_to_string("/proc/sysvipc/shm") else {
        return Ok(());
    };
    let postgres = Postgres::start()?;
    let segment = || -> io::Result<bool> {
        // The fifth column: the process that made it.
        let list = fs::read_to_string("/proc/sysvipc/shm")?;
        let pid = postgres.pid().to_string();
        Ok(list
            .lines()
            .any(|line| line.split_whitespace().nth(4) == Some(&pid)))
    };
    assert!(segment()?);
    postgres.kill()?;
    assert!(!segment()?);
    Ok(())
}
