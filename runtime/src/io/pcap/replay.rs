//! A director's packet IO over captures: frames from a file, those that are sent into another one.

use std::io;
use std::time::Duration;

use lvsc_abi::engine::Packet;

use crate::io::{Inbox, Loss, Received, Sent, Sink, Source};

use super::{CaptureError, Captured, Reader, Writer};

/// A capture played to a director. Beside each frame travels its time; errors of the files come as [`CaptureError`]
/// inside of [`io::Error`].
pub struct Replay {
    reader: Reader,
    /// The names of the policy's interfaces, in its order.
    interfaces: Vec<String>,
    /// Read, and of a second that has not begun.
    waiting: Option<Captured>,
    seconds: u64,
    sent: Option<Writer>,
    passed: Option<Writer>,
}

impl Replay {
    /// Plays a capture to a policy with these interfaces. A frame belongs to the interface that has the name of the
    /// capture's; without a name to the one of the same number; and where the policy has but one, to that.
    /// What is sent goes to `sent`, what is the kernel's to `passed`, where there is one.
    pub fn new(
        reader: Reader,
        interfaces: Vec<String>,
        sent: Option<Writer>,
        passed: Option<Writer>,
    ) -> Replay {
        Replay {
            reader,
            interfaces,
            waiting: None,
            seconds: 0,
            sent,
            passed,
        }
    }

    /// Ends the written captures: they get their names.
    pub fn finish(self) -> Result<(), CaptureError> {
        [self.sent, self.passed]
            .into_iter()
            .flatten()
            .try_for_each(Writer::finish)
    }

    fn next(&mut self) -> Option<Result<Captured, CaptureError>> {
        self.waiting.take().map(Ok).or_else(|| self.reader.next())
    }

    /// The policy's interface that a frame came by.
    fn interface(&self, captured: &Captured) -> Result<u8, CaptureError> {
        if self.interfaces.len() <= 1 {
            return Ok(0);
        }
        let index = captured.interface as usize;
        let found = match self.reader.interfaces().get(index).copied().flatten() {
            Some(name) => self.interfaces.iter().position(|known| known == name),
            None => Some(index).filter(|index| *index < self.interfaces.len()),
        };
        found
            .and_then(|index| u8::try_from(index).ok())
            .ok_or_else(|| CaptureError::Interface {
                path: self.reader.path().to_owned(),
                packet: self.reader.packet(),
                interface: self.reader.interface(captured.interface),
                known: self.interfaces.join(", "),
            })
    }
}

impl Source for Replay {
    type Meta = Duration;

    fn receive(
        &mut self,
        _wait: Duration,
        inbox: &mut Inbox<'_, Duration>,
    ) -> io::Result<Received> {
        while !inbox.is_full() {
            let Some(captured) = self.next() else {
                return Ok(Received::End);
            };
            let captured = captured.map_err(io::Error::other)?;
            let seconds = captured.time.as_secs();
            if inbox.is_empty() {
                self.seconds = seconds;
            } else if seconds != self.seconds {
                self.waiting = Some(captured);
                return Ok(Received::More);
            }
            if captured.is_truncated() {
                inbox.lose(Loss::Truncated);
                continue;
            }
            let interface = self.interface(&captured).map_err(io::Error::other)?;
            inbox.add(&captured.frame, interface, captured.time);
        }
        Ok(Received::More)
    }

    fn seconds(&self) -> Option<u64> {
        Some(self.seconds)
    }
}

impl Sink<Duration> for Replay {
    fn send(&mut self, _packet: &Packet, time: &Duration, frame: &[u8]) -> io::Result<Sent> {
        write(self.sent.as_mut(), *time, frame)?;
        Ok(Sent::Gone)
    }

    fn pass(&mut self, time: &Duration, frame: &[u8]) -> io::Result<()> {
        write(self.passed.as_mut(), *time, frame)
    }
}

fn write(writer: Option<&mut Writer>, time: Duration, frame: &[u8]) -> io::Result<()> {
    writer.map_or(Ok(()), |writer| {
        writer.write(time, frame).map_err(io::Error::other)
    })
}
