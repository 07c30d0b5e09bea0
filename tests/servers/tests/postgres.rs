//! One PostgreSQL server, through its public door.

use std::{
    fs, io,
    net::TcpStream,
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use servers::Postgres;

#[test]
fn runs_sql_in_its_databases() -> io::Result<()> {
    let postgres = Postgres::start()?;
    assert_eq!(postgres.psql("select 1, null, 'ä'; select 2")?, "1||ä\n2");

    let url = postgres.create_database("a \"b\"")?;
    assert!(url.starts_with("postgres://postgres@127.0.0.1:"), "{url}");
    let name = postgres.psql("\\c \"a \"\"b\"\"\"\nselect current_database()")?;
    assert_eq!(name, "a \"b\"");

    let error = postgres.psql("select 1; select nonsense").unwrap_err();
    assert!(error.to_string().contains("nonsense"), "{error}");
    Ok(())
}

#[test]
fn keeps_its_data_over_a_kill_in_the_middle_of_work() -> io::Result<()> {
    let mut postgres = Postgres::start()?;
    postgres.psql("create table t (n int); insert into t values (1)")?;
    let (pid, port) = (postgres.pid(), postgres.port());

    // A backend that never looks up from its work would outlive its postmaster.
    let psql = servers::installed::postgres().unwrap().join("psql");
    let mut work = Command::new(psql)
        .args(["-Xd", &postgres.url(), "-c", "select count(*) from generate_series(1, 1e12)"])
        .stderr(Stdio::null())
        .spawn()?;
    let working = "select count(*) from pg_stat_activity where query ~ '1e12' and pid <> pg_backend_pid()";
    let start = Instant::now();
    while postgres.psql(working)? == "0" {
        assert!(start.elapsed() < Duration::from_secs(20), "the query does not start");
    }
    postgres.kill()?;
    assert!(!work.wait()?.success());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    postgres.kill()?; // killing the dead is no error

    postgres.restart()?;
    assert_eq!(postgres.psql("select n from t")?, "1");
    assert_eq!(postgres.port(), port);
    assert_ne!(postgres.pid(), pid);

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
fn two_in_parallel_do_not_meet() -> io::Result<()> {
    thread::scope(|scope| {
        let (one, two) = (scope.spawn(Postgres::start), scope.spawn(Postgres::start));
        let (one, two) = (one.join().unwrap()?, two.join().unwrap()?);
        one.psql("create table only_here ()")?;
        assert!(two.psql("select from only_here").is_err());
        assert!(two.log().contains("only_here"));

        let dir = one.dir().to_owned();
        one.pause()?;
        drop(one);
        assert!(!dir.exists());
        Ok(())
    })
}

/// On Linux only, where the kernel lists the segments in a file.
#[test]
fn a_kill_leaves_no_shared_memory() -> io::Result<()> {
    let Ok(_) = fs::read_to_string("/proc/sysvipc/shm") else {
        return Ok(());
    };
    let mut postgres = Postgres::start()?;
    let pid = postgres.pid().to_string();
    let segment = || -> io::Result<bool> {
        // The fifth column: the process that made it.
        let list = fs::read_to_string("/proc/sysvipc/shm")?;
        Ok(list.lines().any(|line| line.split_whitespace().nth(4) == Some(&pid)))
    };
    assert!(segment()?);
    postgres.kill()?;
    drop(postgres);
    assert!(!segment()?);
    Ok(())
}
