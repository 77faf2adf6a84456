//! A netlink message being written: header, fixed part, attributes (netlink(7)). Native byte order.

/// A request.
pub struct Message {
    bytes: Vec<u8>,
    open: Vec<usize>,
}

impl Message {
    /// A request of this type that is acknowledged.
    pub fn new(kind: u16, flags: u16) -> Message {
        let flags = flags | (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        Message {
            bytes,
            open: Vec::new(),
        }
    }

    /// The attributes of another message, without a header: what stands inside of a nested link.
    pub fn fragment() -> Message {
        Message {
            bytes: Vec::new(),
            open: Vec::new(),
        }
    }

    /// Bytes as they are, padded to a multiple of four.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Message {
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    /// `struct ifinfomsg`
    #[must_use]
    pub fn link(self, index: u32, flags: u32, change: u32) -> Message {
        let mut head = vec![0; 4];
        for word in [index, flags, change] {
            head.extend(word.to_ne_bytes());
        }
        self.raw(&head)
    }

    /// An attribute.
    #[must_use]
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Message {
        self.bytes.extend((value.len() as u16 + 4).to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.raw(value)
    }

    /// An attribute that is a number of 32 bits.
    #[must_use]
    pub fn number(self, kind: u16, value: u32) -> Message {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// An attribute that is a text.
    #[must_use]
    pub fn text(self, kind: u16, value: &str) -> Message {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Begins an attribute that holds attributes.
    #[must_use]
    pub fn open(mut self, kind: u16) -> Message {
        const NESTED: u16 = 0x8000;
        self.open.push(self.bytes.len());
        self.bytes.extend([0, 0]);
        self.bytes.extend((kind | NESTED).to_ne_bytes());
        self
    }

    /// Ends the attribute that was begun last.
    #[must_use]
    pub fn close(mut self) -> Message {
        if let Some(begin) = self.open.pop() {
            let length = (self.bytes.len() - begin) as u16;
            if let Some(place) = self.bytes.get_mut(begin..begin + 2) {
                place.copy_from_slice(&length.to_ne_bytes());
            }
        }
        self
    }

    /// The bytes alone, of a [`Message::fragment`].
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The message with its length and sequence number.
    pub fn finish(mut self, sequence: u32) -> Vec<u8> {
        debug_assert!(self.open.is_empty(), "every nested attribute is closed");
        let length = self.bytes.len() as u32;
        for (at, value) in [(0, length), (8, sequence)] {
            if let Some(place) = self.bytes.get_mut(at..at + 4) {
                place.copy_from_slice(&value.to_ne_bytes());
            }
        }
        self.bytes
    }
}

/// The attributes in these bytes: type (without its flags) and value. Stops where they are damaged.
pub fn attributes(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while let Some(([a, b, c, d], _)) = bytes.split_first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([*a, *b]));
        let Some(value) = bytes.get(4..length) else {
            break;
        };
        found.push((u16::from_ne_bytes([*c, *d]) & 0x3fff, value));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}
