//! Whose fault an error is, which decides what is done about it.
//!
//! | class | what | then |
//! |---|---|---|
//! | [`Infrastructure`](Class::Infrastructure) | PostgreSQL is away, busy, read-only, or a transaction lost against another | again, for ever; no attempt is counted |
//! | [`Operator`](Class::Operator) | the database is not as this release needs it: a table, a right, a partition is missing | alarm, mend what can be mended, again; never a dead letter |
//! | [`Data`](Class::Data) | this very row is refused | find the row, five attempts, dead letter |
//!
//! Whatever is in no list is the operator's: it makes noise, and it loses nothing.

use crate::error::{Error, ErrorKind};

/// See the [module](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) enum Class {
    Infrastructure,
    Operator,
    Data,
}

/// An error of PostgreSQL, judged. It holds neither the statement nor a value of the row.
#[derive(Clone, Debug)]
pub(in crate::audit) struct Failure {
    pub(in crate::audit) class: Class,
    /// The SQLSTATE, or what failed before the server could answer.
    pub(in crate::audit) code: String,
    /// The constraint that was violated.
    pub(in crate::audit) constraint: Option<String>,
    /// The server's message, which may quote the row: for the dead letter beside the row, and for no log.
    pub(in crate::audit) message: String,
}

impl Failure {
    pub(in crate::audit) fn timed_out() -> Self {
        Self {
            class: Class::Infrastructure,
            code: "no answer".into(),
            constraint: None,
            message: "PostgreSQL did not answer in time".into(),
        }
    }

    pub(in crate::audit) fn no_random() -> Self {
        Self {
            class: Class::Operator,
            code: "no random bytes".into(),
            constraint: None,
            message: "the operating system's random generator failed".into(),
        }
    }

    /// As an error for whoever called a statement that no row had a part in, so that its cause can be told.
    pub(in crate::audit) fn without_rows(self, what: &str) -> Error {
        match self.class {
            Class::Infrastructure => Error::msg(ErrorKind::Unavailable, "PostgreSQL did not answer"),
            Class::Operator | Class::Data => {
                Error::msg(ErrorKind::Config, format!("{what} (SQLSTATE {})", self.code))
            }
        }
        .because(self.message)
    }

    /// The same error of a statement that no row had a part in.
    pub(in crate::audit) fn not_the_rows_fault(mut self) -> Self {
        if self.class == Class::Data {
            self.class = Class::Operator;
        }
        self
    }

    /// "No partition of relation found for row". It has the SQLSTATE of a violated CHECK, and only lacks
    /// the constraint's name: taken for bad data, every event of a new month would be a dead letter.
    pub(in crate::audit) fn is_missing_partition(&self) -> bool {
        self.code == "23514" && self.constraint.is_none()
    }

    /// A transaction that lost against another one: to be tried again at once.
    pub(in crate::audit) fn is_lost_race(&self) -> bool {
        matches!(self.code.as_str(), "40001" | "40P01")
    }

    /// The batch took too long, so that the next one had better be smaller.
    pub(in crate::audit) fn is_overload(&self) -> bool {
        matches!(self.code.as_str(), "57014" | "no answer")
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let (class, code) = match &error {
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                let constraint = database.constraint().filter(|name| !name.is_empty());
                return Self {
                    class: of_state(&code, constraint),
                    code: code.into_owned(),
                    constraint: constraint.map(str::to_owned),
                    message: database.message().to_owned(),
                };
            }
            sqlx::Error::Io(_) => (Class::Infrastructure, "connection"),
            sqlx::Error::PoolTimedOut => (Class::Infrastructure, "no connection"),
            sqlx::Error::PoolClosed => (Class::Infrastructure, "pool closed"),
            sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => {
                (Class::Infrastructure, "protocol")
            }
            // Only a server that talks, but not as configured, gets this far.
            sqlx::Error::Tls(_) => (Class::Operator, "tls"),
            // A row so large that it cannot be sent.
            sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_) => (Class::Data, "encode"),
            _ => (Class::Operator, "client"),
        };
        Self { class, code: code.into(), constraint: None, message: error.to_string() }
    }
}

/// The class of a SQLSTATE.
fn of_state(code: &str, constraint: Option<&str>) -> Class {
    match (code, constraint) {
        // Cancelled, lock not available, read-only after a failover, serialisation failure, deadlock.
        ("57014" | "55P03" | "25006" | "40001" | "40P01", _) => Class::Infrastructure,
        // NOT NULL, FOREIGN KEY, and a program's limit, such as an index row that is too large.
        ("23502" | "23503" | "54000", _) => Class::Data,
        ("23514", Some(_)) => Class::Data,
        // Connection, resources, shutdown.
        _ if ["08", "53", "57P0"].iter().any(|class| code.starts_with(class)) => Class::Infrastructure,
        _ if code.starts_with("22") => Class::Data,
        // 42P01, 42703, 42501, 28*, 3D000, 23514 without a constraint, and all that nobody thought of.
        _ => Class::Operator,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_class() {
        use Class::{Data, Infrastructure, Operator};
        let table = [
            ("08000", None, Infrastructure),
            ("08006", None, Infrastructure),
            ("53100", None, Infrastructure),
            ("53300", None, Infrastructure),
            ("57P01", None, Infrastructure),
            ("57P02", None, Infrastructure),
            ("57P03", None, Infrastructure),
            ("57014", None, Infrastructure),
            ("55P03", None, Infrastructure),
            ("25006", None, Infrastructure),
            ("40001", None, Infrastructure),
            ("40P01", None, Infrastructure),
            ("42P01", None, Operator),
            ("42703", None, Operator),
            ("42501", None, Operator),
            ("28P01", None, Operator),
            ("28000", None, Operator),
            ("3D000", None, Operator),
            ("3F000", None, Operator),
            ("XX000", None, Operator),
            ("P0001", None, Operator),
            ("55000", None, Operator),
            ("", None, Operator),
            ("23514", None, Operator),
            ("23514", Some("no_robots"), Data),
            ("23502", None, Data),
            ("23503", Some("user_fk"), Data),
            ("22P05", None, Data),
            ("22P02", None, Data),
            ("22021", None, Data),
            ("22003", None, Data),
            ("22001", None, Data),
            ("54000", None, Data),
        ];
        for (code, constraint, class) in table {
            assert_eq!(of_state(code, constraint), class, "{code} {constraint:?}");
        }
    }

    #[test]
    fn an_error_without_a_state_is_judged_by_where_it_arose() {
        let table = [
            (sqlx::Error::PoolTimedOut, Class::Infrastructure),
            (sqlx::Error::PoolClosed, Class::Infrastructure),
            (sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()), Class::Infrastructure),
            (sqlx::Error::Protocol("?".into()), Class::Infrastructure),
            (sqlx::Error::Tls("certificate".into()), Class::Operator),
            (sqlx::Error::Encode("too long".into()), Class::Data),
            (sqlx::Error::RowNotFound, Class::Operator),
        ];
        for (error, class) in table {
            let text = format!("{error:?}");
            assert_eq!(Failure::from(error).class, class, "{text}");
        }
    }
}
