//! A process that is killed leaves no server behind.

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use servers::{Chromium, Cluster, Postgres, Redis};

const CHILD: &str = "SERVERS_TEST_CHILD";

#[test]
fn servers_die_with_a_killed_process() -> Result<(), Box<dyn Error>> {
    let mut child = Command::new(env::current_exe()?)
        .args(["--exact", "the_process_that_is_killed", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?);

    let mut servers = Vec::new();
    for line in stdout.lines() {
        let line = line?;
        if line == "ready" {
            break;
        }
        // The harness prints its own words on the first of these lines.
        let Some((_, line)) = line.split_once("server: ") else {
            continue;
        };
        let (pid, dir) = line.split_once(' ').ok_or("no folder")?;
        servers.push((pid.parse::<u32>()?, dir.to_owned()));
    }
    assert!(servers.len() >= 10, "{servers:?}");
    for (pid, dir) in &servers {
        assert!(servers::is_alive(*pid), "{pid}");
        assert!(Path::new(dir).is_dir(), "{dir}");
    }

    child.kill()?; // SIGKILL: no destructor, no handler
    child.wait()?;

    let start = Instant::now();
    for (pid, dir) in &servers {
        while servers::is_alive(*pid) || Path::new(dir).exists() {
            let waited = start.elapsed();
            assert!(waited < Duration::from_secs(20), "{pid} {dir} after {waited:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(())
}

/// Not a test of its own: without the variable it does nothing.
#[test]
fn the_process_that_is_killed() -> Result<(), Box<dyn Error>> {
    if env::var_os(CHILD).is_none() {
        return Ok(());
    }
    let tell = |pid: u32, dir: &Path| println!("server: {pid} {}", dir.display());

    let plain = Redis::start()?;
    tell(plain.pid(), plain.dir());
    let paused = Redis::durable()?;
    paused.pause()?;
    tell(paused.pid(), paused.dir());
    let mut restarted = Redis::durable()?;
    restarted.kill()?;
    restarted.restart()?;
    tell(restarted.pid(), restarted.dir());
    let cluster = Cluster::start(1)?;
    let node = &cluster.nodes()[0];
    tell(node.pid(), node.dir());

    let postgres = Postgres::start()?;
    tell(postgres.pid(), postgres.dir());
    let hung = Postgres::start()?;
    hung.pause()?;
    tell(hung.pid(), hung.dir());
    let mut killed = Postgres::start()?;
    killed.kill()?;
    // Its own folder is left to remove; its process is gone: the plain server's id stands in.
    tell(plain.pid(), killed.dir());

    // With those that it has started for its pages and its network.
    let chromium = Chromium::start()?;
    for pid in chromium.family()? {
        tell(pid, chromium.dir());
    }

    println!("ready");
    loop {
        thread::park();
    }
}
