//! A writer in a process of its own, to be killed.
//!
//! The process is this very test binary, started again with one test chosen by name: no example and no
//! further crate to build. In a normal run that test finds its variables unset and returns at once.

use std::{
    env,
    process::{Child, Command, Stdio},
};

use cloakroom::audit::AuditWriter;

use crate::{
    crashes,
    site::{self, Site},
};

/// Which writer runs in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ours.
    Ours,
    /// One that deletes before it stores, which the checker must find out.
    DeletesFirst,
}

/// Killed with SIGKILL when it is dropped.
pub struct Process(Child);

impl Process {
    pub fn start(site: &Site, kind: Kind) -> Self {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "process::writer_process", "--nocapture"])
            .env("AUDIT_TEST_KIND", format!("{kind:?}"))
            .env("AUDIT_TEST_REDIS", &site.redis_url)
            .env("AUDIT_TEST_NAMESPACE", &site.namespace)
            .env("AUDIT_TEST_SHARDS", site.shards.to_string())
            .env("AUDIT_TEST_POSTGRES", &site.postgres_url)
            // It ends when this pipe does, however this process dies.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn writer_process() {
    let Ok(kind) = env::var("AUDIT_TEST_KIND") else { return };
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let var = |name: &str| env::var(format!("AUDIT_TEST_{name}")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if kind == format!("{:?}", Kind::DeletesFirst) {
            return crashes::delete_first(&var("REDIS"), &var("NAMESPACE"), &var("POSTGRES")).await;
        }
        let store = site::store(&var("REDIS"), &var("NAMESPACE"), var("SHARDS").parse().unwrap());
        let writer: AuditWriter = site::writer(store.audit_queue(), &var("POSTGRES"));
        // Small batches: more places to die at.
        writer.batch(40).run().await;
    });
}
