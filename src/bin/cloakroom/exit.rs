//! How the command ends.

use std::{error::Error as _, io, process::ExitCode};

use cloakroom::error::{Error, ErrorKind};

/// Done, and something was found.
pub(crate) const FOUND: u8 = 1;
const USAGE: u8 = 2;
const UNAVAILABLE: u8 = 3;
const MISMATCH: u8 = 4;
/// `EX_SOFTWARE` of sysexits.h.
const OTHER: u8 = 70;

/// What a subcommand answers.
pub(crate) type Result<T = ExitCode, E = Failure> = std::result::Result<T, E>;

/// Why the command failed, for a person and for a script.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// The arguments are wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into() }
    }

    /// It is there, and not as needed.
    pub(crate) fn mismatch(message: impl Into<String>) -> Self {
        Self { code: MISMATCH, message: message.into() }
    }

    /// Redis or PostgreSQL did not answer.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self { code: UNAVAILABLE, message: message.into() }
    }

    /// Anything else.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self { code: OTHER, message: message.into() }
    }

    /// Tells it on stderr. A pipe that nobody reads any more (`cloakroom … | head`) is no failure to tell.
    pub(crate) fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("error: {}", self.message);
        }
        ExitCode::from(self.code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Config => USAGE,
            ErrorKind::Unavailable => UNAVAILABLE,
            ErrorKind::Mismatch => MISMATCH,
            _ => OTHER,
        };
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = cause.source();
        }
        Self { code, message }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self { code: 0, message: String::new() },
            _ => Self { code: OTHER, message: error.to_string() },
        }
    }
}
