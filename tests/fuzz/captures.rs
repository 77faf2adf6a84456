//! Captures, pcap and pcapng: every frame of them lies in the file, the first error is the last word, and it makes no
//! difference in what pieces the file comes.

use std::io::{Cursor, Read, Result};
use std::path::Path;

use lvsc_runtime::io::pcap::Reader;

use crate::change;
use crate::hunt::{Judged, Target};

pub fn target() -> Target {
    let corpus = corpus();
    Target {
        name: "captures",
        cases: 6000,
        make: Box::new(move |chance| match chance.below(16) {
            0 => chance.bytes(300),
            _ => change::bytes(&corpus, chance),
        }),
        judge,
    }
}

/// Bytes that come by and by.
struct Dripping(Cursor<Vec<u8>>, usize);

impl Read for Dripping {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.1 = self.1 % 7 + 1;
        let size = buffer.len().min(self.1);
        self.0.read(&mut buffer[..size])
    }
}

fn judge(input: &[u8]) -> Judged {
    let whole = read(Box::new(Cursor::new(input.to_vec())), input.len())?;
    let dripping = read(
        Box::new(Dripping(Cursor::new(input.to_vec()), 0)),
        input.len(),
    )?;
    if whole == dripping {
        Ok(())
    } else {
        Err(format!("in pieces {dripping:?}\nas a whole {whole:?}"))
    }
}

/// All that a capture says.
fn read(input: Box<dyn Read + Send>, size: usize) -> std::result::Result<Vec<String>, String> {
    let mut reader = match Reader::new(Path::new("in.pcap"), input) {
        Ok(reader) => reader,
        Err(error) => return Ok(vec![error.to_string()]),
    };
    let (mut said, mut bytes) = (Vec::new(), 0);
    while let Some(next) = reader.next() {
        match next {
            Ok(captured) => {
                bytes += captured.frame.len() + 8;
                said.push(format!("{captured:?}"));
            }
            Err(error) => {
                said.push(error.to_string());
                if reader.next().is_some() {
                    return Err(format!("more behind `{error}`"));
                }
            }
        }
        if bytes > size {
            return Err(format!("{bytes} bytes of packets in {size} bytes"));
        }
    }
    said.push(format!("{:?}", reader.interfaces()));
    Ok(said)
}

/// Small captures of both formats and both byte orders.
fn corpus() -> Vec<Vec<u8>> {
    let frame: Vec<u8> = (0..60).collect();
    let mut corpus = Vec::new();
    for big in [false, true] {
        let order = Order { big };
        for magic in [0xa1b2_c3d4, 0xa1b2_3c4d] {
            let mut file = order.words(&[magic, 0, 0, 0, 65_535, 1]);
            file.splice(4..8, [order.half(2), order.half(4)].concat());
            for seconds in 0..3 {
                file.extend(order.words(&[1_700_000_000 + seconds, 999, 60, 60 + seconds]));
                file.extend(&frame);
            }
            corpus.push(file);
        }
        let section = [
            order.words(&[0x1a2b_3c4d]),
            order.half(1),
            order.half(0),
            vec![0xff; 8],
        ];
        let name = [order.half(2), order.half(4), b"eth0".to_vec()];
        let digits = [order.half(9), order.half(1), vec![9, 0, 0, 0]];
        let end = order.half(0).repeat(2);
        let interface = [
            vec![order.half(1), order.half(0), order.words(&[0])],
            name.to_vec(),
            digits.to_vec(),
            vec![end],
        ];
        let packet = |interface: u32| {
            let head = order.words(&[interface, 0x0006_0000, 17, 60, 60]);
            order.block(6, &[head, frame.clone()].concat())
        };
        let old = [
            order.half(0),
            order.half(0),
            order.words(&[0, 5, 60, 60]),
            frame.clone(),
        ];
        let simple = [order.words(&[60]), frame.clone()].concat();
        let blocks = [
            order.block(0x0a0d_0d0a, &section.concat()),
            order.block(1, &interface.concat().concat()),
            order.block(1, &interface.concat().concat()),
            packet(0),
            packet(1),
            order.block(3, &simple),
            order.block(2, &old.concat()),
            order.block(5, &order.words(&[0, 1, 2])),
            order.block(4, &order.words(&[0])),
            order.block(0xbad, &order.words(&[1, 2, 3])),
            order.block(0x0a0d_0d0a, &section.concat()),
            order.block(1, &interface.concat().concat()),
            packet(0),
        ];
        corpus.push(blocks.concat());
    }
    corpus
}

/// Numbers in one byte order.
struct Order {
    big: bool,
}

impl Order {
    fn half(&self, number: u16) -> Vec<u8> {
        let bytes = if self.big {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        };
        bytes.to_vec()
    }

    fn words(&self, numbers: &[u32]) -> Vec<u8> {
        let bytes = |number: &u32| {
            if self.big {
                number.to_be_bytes()
            } else {
                number.to_le_bytes()
            }
        };
        numbers.iter().flat_map(bytes).collect()
    }

    fn block(&self, kind: u32, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = body.len() as u32 + 12;
        [self.words(&[kind, length]), body, self.words(&[length])].concat()
    }
}
