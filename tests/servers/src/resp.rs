//! The smallest possible Redis client: one command, one reply, as text.

use std::io::{self, BufRead, BufReader, Read, Write};

/// Sends a command and reads its reply. An error reply becomes an [`io::Error`] with its text.
pub(crate) fn call(mut stream: impl Read + Write, command: &[&str]) -> io::Result<String> {
    let mut request = format!("*{}\r\n", command.len());
    for part in command {
        request.push_str(&format!("${}\r\n{part}\r\n", part.len()));
    }
    stream.write_all(request.as_bytes())?;
    reply(&mut BufReader::new(stream))
}

/// Arrays become one line for each element, nested ones included; nil becomes `(nil)`, as in redis-cli.
fn reply(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let line = line.trim_end();
    let Some(kind) = line.chars().next() else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let rest = line.get(1..).unwrap_or_default();
    match kind {
        '+' | ':' => Ok(rest.to_owned()),
        '-' => Err(io::Error::other(rest.to_owned())),
        '$' => match length(rest)? {
            None => Ok("(nil)".to_owned()),
            Some(length) => {
                let mut bytes = vec![0; length + 2];
                stream.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
        },
        '*' => match length(rest)? {
            None => Ok("(nil)".to_owned()),
            Some(length) => {
                let elements = (0..length).map(|_| reply(stream)).collect::<io::Result<Vec<_>>>()?;
                Ok(elements.join("\n"))
            }
        },
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("not a reply of Redis: {line}"))),
    }
}

/// -1 stands for nil.
fn length(text: &str) -> io::Result<Option<usize>> {
    if text == "-1" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
