//! The machine as an engine: an object of ours decides frames.

use std::ops::RangeInclusive;

use lvsc_abi::engine::{BATCH, Engine, EngineError, Packet, Room, SLOT};
use lvsc_abi::image::{Image, Width};
use lvsc_abi::layout::interface;
use lvsc_abi::verdict::Verdict;

use super::object::{DEVICES, Object, read};
use super::{Registers, run};

/// Addresses of what a program is given: `struct xdp_md` (linux/bpf.h) says where a frame lies in 32 bits.
const CONTEXT: u64 = 0x1000;
const STACK: u64 = 0x2000;
const FRAME: u64 = 0x1_0000;
/// Bytes of the stack.
const STACK_SIZE: usize = 512;
/// The CPU on which it runs, which is the worker of whoever it is compared with.
const CPU: u64 = 0;
/// The queue by which packets come.
const QUEUE: u64 = 0;

/// An object of ours, run by the machine.
pub struct Machine {
    object: Object,
    slots: Vec<Vec<u8>>,
}

impl Machine {
    pub fn load(bytes: &[u8]) -> Machine {
        Machine {
            object: read(bytes),
            slots: vec![vec![0; SLOT as usize]; BATCH],
        }
    }

    /// The kernel's index of an interface: whatever the image says, they differ here.
    fn device(interface: usize) -> u64 {
        interface as u64 + 1
    }

    /// Places of the kernel's indices in the image.
    fn devices(&self) -> Vec<u64> {
        let found = self.object.image.layout().named("interfaces");
        let places = found.into_iter().flat_map(|(_, section)| {
            (0..u64::from(section.length)).map(|index| section.at(index, interface::INDEX))
        });
        places.collect()
    }

    fn decide(&mut self, index: usize, packet: &mut Packet) -> Result<(), String> {
        let Object {
            code,
            manifest,
            image,
            steers,
        } = &mut self.object;
        let frame = &mut self.slots[index][packet.range()];
        let interface = usize::from(packet.interface);
        let context = [
            FRAME,
            FRAME + frame.len() as u64,
            FRAME,
            Machine::device(interface),
            QUEUE,
        ];
        let context = context.iter().flat_map(|word| (*word as u32).to_le_bytes());
        let memory = &mut image.memory;
        memory.place(CONTEXT, context.collect(), false);
        memory.place(STACK, vec![0xee; STACK_SIZE], true);
        memory.place(FRAME, frame.to_vec(), true);
        let mut redirected = None;
        let interfaces = manifest.interfaces.len() as u64;
        let mut helper = |number: i32, registers: &Registers| match number {
            8 => Ok(CPU),
            51 => {
                let [map, key, flags] = [1, 2, 3].map(|register| registers.get(register));
                let (map, key, flags) = (map?, key? & 0xffff_ffff, flags?);
                if map != DEVICES {
                    return Err(format!("{map:#x} is no map"));
                }
                redirected = Some(key).filter(|key| *key < interfaces);
                Ok(redirected.map_or(flags & 3, |_| 4))
            }
            other => Err(format!("there is no function {other}")),
        };
        let verdict = run(
            code,
            memory,
            (CONTEXT, STACK + STACK_SIZE as u64),
            &mut helper,
        )?;
        frame.copy_from_slice(memory.at(FRAME));
        packet.verdict = match (verdict, redirected) {
            (1, None) => Verdict::Drop,
            (2, None) => Verdict::Pass,
            (3, None) => Verdict::Send,
            (4, Some(QUEUE)) if *steers => Verdict::Drop,
            (4, Some(interface)) if image.egress(CPU as u32) == Some(interface) => {
                packet.interface = interface as u8;
                Verdict::Send
            }
            other => return Err(format!("no verdict: {other:?}")),
        };
        Ok(())
    }
}

impl Engine for Machine {
    fn name(&self) -> &'static str {
        "machine"
    }

    fn room(&mut self, room: Room) -> &mut [u8] {
        &mut self.slots[(room.offset / SLOT) as usize]
    }

    fn process(&mut self, packets: &mut [Packet]) -> Result<(), EngineError> {
        let devices = self.devices();
        let image = &mut self.object.image;
        let before: Vec<u64> = devices
            .iter()
            .map(|at| image.load(*at, Width::B4))
            .collect();
        for (interface, at) in devices.iter().enumerate() {
            image.store(*at, Width::B4, Machine::device(interface));
        }
        let mut first = Ok(());
        for (index, packet) in packets.iter_mut().enumerate() {
            packet.verdict = Verdict::Drop;
            let decided = self.decide(index, packet);
            first = first.and(decided.map_err(|what| EngineError::Trap {
                packet: index,
                what,
                place: None,
            }));
        }
        for (at, number) in devices.iter().zip(before) {
            self.object.image.store(*at, Width::B4, number);
        }
        first
    }

    /// What the driver gives: a frame with its Ethernet header, in one page.
    fn lengths(&self) -> RangeInclusive<u16> {
        14..=3520
    }

    fn image(&self) -> &dyn Image {
        &self.object.image
    }

    fn image_mut(&mut self) -> &mut dyn Image {
        &mut self.object.image
    }
}
