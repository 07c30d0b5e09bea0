//! The least of an HTTP client: one keep-alive connection, one request at a time. It costs so little that the
//! figures are the servers', and it understands only what our servers answer.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// A request as it goes over the wire, written once.
pub fn request(method: &str, path: &str, cookie: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: peers\r\n");
    if !cookie.is_empty() {
        text.push_str(&format!("cookie: {cookie}\r\n"));
    }
    if method == "POST" {
        text.push_str("content-length: 0\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

impl Client {
    pub async fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request, and answers with the status and the lengths of head and body; they are in the buffer.
    pub async fn call(&mut self, request: &[u8]) -> io::Result<(u16, usize, usize)> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(head) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let text = std::str::from_utf8(&self.buffer[..head]).map_err(io::Error::other)?;
            let (status, body) = understand(text)?;
            if self.buffer.len() >= head + 4 + body {
                return Ok((status, head, body));
            }
        }
    }

    pub async fn answer(&mut self, request: &[u8]) -> io::Result<Answer> {
        let (status, head, body) = self.call(request).await?;
        let text = |range| String::from_utf8_lossy(&self.buffer[range]).into_owned();
        Ok(Answer { status, head: text(0..head), body: text(head + 4..head + 4 + body) })
    }
}

impl Answer {
    /// The pairs of every `Set-Cookie`, as a `Cookie` line has them.
    pub fn cookies(&self) -> String {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let cookies = lines.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        let pairs = cookies.filter_map(|(_, value)| value.split(';').next());
        pairs.collect::<Vec<_>>().join("; ")
    }
}

/// The status, and the length of the body.
fn understand(head: &str) -> io::Result<(u16, usize)> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, head.to_owned());
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|word| word.parse().ok());
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") { value.trim().parse().ok() } else { None }
    });
    Ok((status.ok_or_else(wrong)?, length.ok_or_else(wrong)?))
}
