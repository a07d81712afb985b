//! A connection whose reads and writes wait as long as the tested programs make progress.

use crate::Patience;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The length of one system call, after which progress is checked.
const STEP: Duration = Duration::from_secs(1);

/// A TCP connection that waits as [`Patience`] does.
#[derive(Debug)]
pub struct Patient(TcpStream);

impl Patient {
    /// Connects. The system accepts a connection on this machine, even if the server is busy.
    pub fn connect(to: SocketAddr) -> Result<Self> {
        Self::new(TcpStream::connect_timeout(&to, crate::IDLE)?)
    }

    /// Wraps an open connection.
    pub fn new(stream: TcpStream) -> Result<Self> {
        stream.set_read_timeout(Some(STEP))?;
        stream.set_write_timeout(Some(STEP))?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        patiently(|| self.0.read(buffer))
    }
}

impl Write for Patient {
    fn write(&mut self, buffer: &[u8]) -> Result<usize> {
        patiently(|| self.0.write(buffer))
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }
}

fn patiently(mut attempt: impl FnMut() -> Result<usize>) -> Result<usize> {
    let mut patience = None;
    loop {
        match attempt() {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if patience.get_or_insert_with(Patience::new).is_over() {
                    return Err(Error::new(ErrorKind::TimedOut, "no progress any more"));
                }
            }
            other => return other,
        }
    }
}
