//! PostgreSQL's protocol as far as these tests speak it: bytes go out and come in as they are, in any encoding, and a
//! statement can be left running while others look at it.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cluster::Cluster;

/// Longer than any statement of a test runs.
const PATIENCE: Duration = Duration::from_secs(90);

const VERSION: i32 = 3 << 16;
const CANCEL: i32 = (1234 << 16) + 5678;

/// A connection.
pub struct Wire {
    stream: UnixStream,
    socket: PathBuf,
    received: Vec<u8>,
    key: Vec<u8>,
    /// The server process.
    pub pid: i32,
}

/// What the server sent.
#[derive(Debug, Clone)]
pub struct Message {
    /// The letter of the protocol's manual.
    pub kind: u8,
    /// What follows its length.
    pub body: Vec<u8>,
}

/// All that the server sent until it was ready again, or left.
#[derive(Debug, Clone, Default)]
pub struct Reply(pub Vec<Message>);

impl Wire {
    /// Connects to the database as the role, with those parameters (`options`, `client_encoding`, …).
    ///
    /// # Errors
    /// When the server refuses.
    pub fn connect(cluster: &Cluster, parameters: &[(&str, &str)]) -> Result<Self> {
        let socket = cluster.socket().join(format!(".s.PGSQL.{}", cluster.port()));
        let stream = UnixStream::connect(&socket).with_context(|| format!("cannot reach {}", socket.display()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut wire = Self { stream, socket, received: Vec::new(), key: Vec::new(), pid: 0 };
        let mut body = VERSION.to_be_bytes().to_vec();
        parameters.iter().for_each(|(name, value)| body.extend([name, "\0", value, "\0"].concat().bytes()));
        body.push(0);
        wire.stream.write_all(&measured(&body)?)?;
        let greeting = wire.reply()?;
        let key = greeting.0.iter().find(|message| message.kind == b'K').context("the server refused the session")?;
        wire.key.clone_from(&key.body);
        wire.pid = number(&key.body)?;
        Ok(wire)
    }

    /// Sends messages and does not wait for what the server says to them.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, messages: &[(u8, Vec<u8>)]) -> Result<()> {
        let mut bytes = Vec::new();
        for (kind, body) in messages {
            bytes.push(*kind);
            bytes.extend(measured(body)?);
        }
        Ok(self.stream.write_all(&bytes)?)
    }

    /// Sends a statement by the simple protocol, and waits for its end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn query(&mut self, sql: &[u8]) -> Result<Reply> {
        self.send(&[simple(sql)])?;
        self.reply()
    }

    /// What the server says until it is ready for the next statement, or closes the connection.
    ///
    /// # Errors
    /// When it says nothing for too long.
    pub fn reply(&mut self) -> Result<Reply> {
        let mut reply = Reply::default();
        loop {
            while let Some(message) = self.message()? {
                let ready = message.kind == b'Z';
                reply.0.push(message);
                if ready {
                    return Ok(reply);
                }
            }
            if self.receive()? == 0 {
                return Ok(reply);
            }
        }
    }

    /// Whether something has come that was not read.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn has_answer(&mut self) -> Result<bool> {
        self.stream.set_nonblocking(true)?;
        let outcome = self.receive();
        self.stream.set_nonblocking(false)?;
        match outcome {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(self.is_ready()),
            Err(error) => Err(error.into()),
            Ok(0) => Ok(true),
            Ok(_) => Ok(self.is_ready()),
        }
    }

    /// Asks the server to cancel what runs, and waits until it has passed that on: it signals twice, and the second
    /// signal must not hit the next statement.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn cancel(&self) -> Result<()> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.write_all(&measured(&[&CANCEL.to_be_bytes(), self.key.as_slice()].concat())?)?;
        stream.read_to_end(&mut Vec::new())?;
        Ok(())
    }

    /// Ends the session properly, and waits until the server has.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn close(mut self) -> Result<()> {
        self.send(&[(b'X', Vec::new())])?;
        while self.receive()? > 0 {}
        Ok(())
    }

    /// ReadyForQuery comes last: its letter, its length, and the state of the transaction.
    fn is_ready(&self) -> bool {
        self.received.split_last().is_some_and(|(_, before)| before.ends_with(b"Z\0\0\0\x05"))
    }

    fn receive(&mut self) -> std::io::Result<usize> {
        let mut buffer = [0; 65536];
        let count = self.stream.read(&mut buffer)?;
        self.received.extend_from_slice(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn message(&mut self) -> Result<Option<Message>> {
        let Some(kind) = self.received.first().copied() else { return Ok(None) };
        let Some(length) = self.received.get(1..5) else { return Ok(None) };
        let end = usize::try_from(number(length)?)? + 1;
        let Some(body) = self.received.get(5..end) else { return Ok(None) };
        let message = Message { kind, body: body.to_vec() };
        self.received.drain(..end);
        Ok(Some(message))
    }
}

impl Message {
    /// A field of an error or notice.
    pub fn field(&self, letter: u8) -> Option<&[u8]> {
        let field = self.body.split(|byte| *byte == 0).find(|field| field.first() == Some(&letter))?;
        field.get(1..)
    }

    /// `syntax error at or near "…"`, and its like of the scanner, with a position in the client's own text or in a text
    /// that it has sent within.
    pub fn echoes_the_clients_text(&self) -> bool {
        let says = |letter, text: &[u8]| {
            self.field(letter).is_some_and(|field| field.windows(text.len()).any(|window| window == text))
        };
        (self.field(b'P').is_some() || self.field(b'p').is_some()) && says(b'M', b" at or near \"")
    }

    fn is_notice(&self) -> bool {
        matches!(self.kind, b'E' | b'N')
    }

    /// What does not depend on the letters of values: of errors and notices severity, SQLSTATE and both positions.
    fn skeleton(&self) -> String {
        let shown = |letter| self.field(letter).map(|field| String::from_utf8_lossy(field).into_owned());
        match self.kind {
            b'E' | b'N' => format!("{:?}", [b'V', b'C', b'P', b'p'].map(shown)),
            b'C' | b'Z' => String::from_utf8_lossy(&self.body).trim_end_matches('\0').to_owned(),
            kind => char::from(kind).to_string(),
        }
    }
}

impl Reply {
    /// The errors and notices.
    pub fn notices(&self) -> impl Iterator<Item = &Message> {
        self.0.iter().filter(|message| message.is_notice())
    }

    /// The SQLSTATE of the error, if there is one.
    pub fn sqlstate(&self) -> Option<String> {
        let error = self.0.iter().find(|message| message.kind == b'E')?;
        error.field(b'C').map(|code| String::from_utf8_lossy(code).into_owned())
    }

    /// What does not depend on the letters of values.
    pub fn skeleton(&self) -> Vec<String> {
        self.0.iter().map(Message::skeleton).collect()
    }
}

/// A statement by the simple protocol.
pub fn simple(sql: &[u8]) -> (u8, Vec<u8>) {
    (b'Q', [sql, b"\0"].concat())
}

/// The messages that parse a statement under a name, in the extended protocol.
pub fn parse(name: &str, sql: &[u8]) -> (u8, Vec<u8>) {
    (b'P', [name.as_bytes(), b"\0", sql, b"\0\0\0"].concat())
}

/// Binds parameters, given as text, to a parsed statement and runs it.
///
/// # Errors
/// When there are too many, or one is too long.
pub fn execute(name: &str, parameters: &[Vec<u8>]) -> Result<[(u8, Vec<u8>); 2]> {
    let mut body = [b"\0", name.as_bytes(), b"\0\0\0"].concat();
    body.extend(i16::try_from(parameters.len())?.to_be_bytes());
    for parameter in parameters {
        body.extend(i32::try_from(parameter.len())?.to_be_bytes());
        body.extend(parameter);
    }
    body.extend([0, 0]);
    Ok([(b'B', body), (b'E', vec![0; 5])])
}

/// The end of a round of the extended protocol.
pub fn sync() -> (u8, Vec<u8>) {
    (b'S', Vec::new())
}

/// The body with its length in front.
fn measured(body: &[u8]) -> Result<Vec<u8>> {
    let length = i32::try_from(body.len() + 4).context("a message is too long")?;
    Ok([&length.to_be_bytes(), body].concat())
}

fn number(bytes: &[u8]) -> Result<i32> {
    match bytes.first_chunk() {
        Some(bytes) => Ok(i32::from_be_bytes(*bytes)),
        None => bail!("the server sent a message that is too short"),
    }
}
