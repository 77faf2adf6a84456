//! The program on a device that hands to sockets what the policy decides, and leaves to the kernel what it passes.
//!
//! It is an object like an engine's, of a program that says no more than which packets those are
//! (`lvsc_abi::object::SOCKETS`). Without sockets in its map every packet goes to the kernel.

use std::os::fd::AsRawFd;

use lvsc_abi::engine::{Device, EngineError, Placed, Placing};
use lvsc_abi::object::QUEUES;
use lvsc_abi::publish::publish;
use lvsc_abi::world::World;

use super::LoadError;
use super::attach::{Attached, besides, failed};
use super::loaded::Loaded;
use crate::sys::bpf;

/// A steering program of one device; off it when dropped.
pub struct Steering {
    loaded: Loaded,
    attached: Attached,
}

impl Steering {
    /// Loads an object.
    pub fn load(bytes: &[u8]) -> Result<Steering, LoadError> {
        Ok(Steering {
            loaded: Loaded::load(bytes)?,
            attached: Attached::default(),
        })
    }

    /// Takes hold of the device, on which every packet passes until [`Steering::attach`].
    pub fn reserve(&mut self, device: &Device, placing: Placing) -> Result<Placed, EngineError> {
        let devices = std::slice::from_ref(device);
        let placed = self.attached.reserve(devices, placing, None)?;
        placed
            .into_iter()
            .next()
            .ok_or_else(|| EngineError::Attach {
                what: format!("the device `{}` is not there", device.name),
                remedy: None,
            })
    }

    /// Puts the program on the device.
    pub fn attach(&mut self) -> Result<(), EngineError> {
        let attached = self.attached.cover(&self.loaded.program, None);
        attached.map_err(|error| besides(error, &self.attached.give_back()))
    }

    /// Has the device go on with another program, without a packet in between; gives the one that it had.
    pub fn exchange(&mut self, next: Steering) -> Result<Steering, EngineError> {
        let (new, old) = (&next.loaded.program, &self.loaded.program);
        let done = self.attached.exchange(new, old);
        done.map_err(|error| failed("the program on the devices cannot be exchanged", &error))?;
        Ok(Steering {
            loaded: std::mem::replace(&mut self.loaded, next.loaded),
            attached: Attached::default(),
        })
    }

    /// Tells the program what the world is.
    pub fn follow(&mut self, world: &World) {
        let manifest = self.loaded.manifest().clone();
        publish(&manifest, world, &mut self.loaded.image);
    }

    /// Hands packets to these sockets, one for each queue; with none all are the kernel's.
    pub fn direct(&self, sockets: &[impl AsRawFd]) -> Result<(), EngineError> {
        let Some(map) = &self.loaded.maps.sockets else {
            return Ok(());
        };
        let done = (0..QUEUES).try_for_each(|queue| match sockets.get(queue as usize) {
            Some(socket) => bpf::update(map, queue, socket.as_raw_fd().cast_unsigned()),
            None => bpf::remove(map, queue),
        });
        done.map_err(|error| failed("the sockets cannot be given packets", &error))
    }
}
