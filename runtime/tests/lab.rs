//! The lab with a hand-written forwarder: real TCP through it is proven, and without it nothing is answered.
//!
//! No test harness: the process enters a namespace of its own, which it must do before any thread exists.

#![cfg_attr(not(target_os = "linux"), allow(unused, reason = "Linux only"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ops::ControlFlow;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use lvsc_abi::engine::{BATCH, Engine, EngineError, Packet, Room, SLOT};
    use lvsc_abi::image::{Bytes, Image};
    use lvsc_abi::layout::Layout;
    use lvsc_abi::mac::Mac;
    use lvsc_abi::manifest::Manifest;
    use lvsc_abi::verdict::Verdict;
    use lvsc_runtime::current::Current;
    use lvsc_runtime::director::Director;
    use lvsc_runtime::io::af_packet::Interfaces;
    use lvsc_runtime::lab::namespaces::Lab;
    use lvsc_runtime::lab::{Datapath, Host, Plan};
    use lvsc_runtime::sys::namespace::isolate;
    use lvsc_runtime::vip::Responder;
    use lvsc_runtime::world::World;

    fn host(name: &str, last: u8) -> Host {
        Host {
            name: name.to_owned(),
            ip: [192, 0, 2, last].into(),
            mac: Mac([2, 0, 192, 0, 2, last]),
        }
    }

    fn plan() -> Plan {
        Plan {
            vip: [192, 0, 2, 200].into(),
            port: 80,
            prefix: 24,
            client: host("client", 135),
            director: host("director", 131),
            servers: vec![host("rs1", 130), host("rs2", 134)],
        }
    }

    /// Direct routing by hand: the source port says which real server.
    struct Forwarder {
        slots: Vec<Vec<u8>>,
        image: Bytes,
        plan: Plan,
    }

    impl Forwarder {
        fn new(plan: Plan) -> Forwarder {
            let slots = vec![vec![0; SLOT as usize]; BATCH];
            Forwarder {
                slots,
                image: Bytes::new(Layout::new()),
                plan,
            }
        }
    }

    impl Engine for Forwarder {
        fn name(&self) -> &'static str {
            "by hand"
        }

        fn room(&mut self, room: Room) -> &mut [u8] {
            &mut self.slots[(room.offset / SLOT) as usize]
        }

        fn process(&mut self, packets: &mut [Packet]) -> Result<(), EngineError> {
            for (packet, slot) in packets.iter_mut().zip(&mut self.slots) {
                let frame = &mut slot[packet.range()];
                let ours = frame.len() > 36
                    && frame[12..14] == [8, 0]
                    && frame[30..34] == self.plan.vip.octets();
                packet.verdict = if ours { Verdict::Send } else { Verdict::Pass };
                if ours {
                    let server =
                        &self.plan.servers[usize::from(frame[35] / 2) % self.plan.servers.len()];
                    frame[..6].copy_from_slice(&server.mac.0);
                    frame[6..12].copy_from_slice(&self.plan.director.mac.0);
                }
            }
            Ok(())
        }

        fn image(&self) -> &dyn Image {
            &self.image
        }

        fn image_mut(&mut self) -> &mut dyn Image {
            &mut self.image
        }
    }

    /// A datapath that cannot be switched on.
    struct Dead(lvsc_runtime::director::Switch);

    impl Datapath for Dead {
        fn switch(&self, _: bool) {
            self.0.set(false);
        }
    }

    /// Where /proc/sys is read-only, only the interface's settings are made.
    fn every_setting_is_the_labs_own(lab: &Lab) {
        let read = |place: String| {
            let station = lab.director().unwrap();
            station.run(move || std::fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{place}")))
        };
        let mut options = std::fs::OpenOptions::new();
        let all = "/proc/sys/net/ipv4/conf/all/send_redirects";
        let writable = options.write(true).open(all).is_ok();
        for name in ["send_redirects", "rp_filter", "forwarding", "arp_ignore"] {
            for interface in ["eth0", "all"] {
                if interface == "eth0" || writable {
                    let value = read(format!("{interface}/{name}")).unwrap().unwrap();
                    assert_eq!(value.trim(), "0", "{interface}/{name}");
                }
            }
        }
    }

    pub(super) fn main() {
        if let Err(refused) = isolate() {
            let required = std::env::var_os("LVSC_REQUIRE_KERNEL").is_some();
            assert!(!required, "{refused}: {}", refused.remedy());
            println!("ignored: needs network namespaces ({refused})");
            return;
        }
        let lab = Lab::up(plan()).unwrap();
        every_setting_is_the_labs_own(&lab);
        println!("every setting is the lab's own, whatever the host's is");
        let stop = Arc::new(AtomicBool::new(false));
        let own = plan().director.mac;
        let (mut responder, mut interfaces) = lab
            .director()
            .unwrap()
            .run(move || {
                let vips = Arc::new(Current::new([plan().vip].into()));
                let responder = Responder::open(2, own, vips).unwrap();
                (responder, Interfaces::open(&[2]).unwrap())
            })
            .unwrap();
        let engine = Box::new(Forwarder::new(plan()));
        let manifest = Manifest::default();
        let world = World::of(&manifest);
        let mut director = Director::new(engine, manifest, world);
        let switch = director.switch();
        let answering = Arc::clone(&stop);
        let answers = std::thread::spawn(move || responder.serve(&answering, |_| {}));
        let forwarding = Arc::clone(&stop);
        let forwards = std::thread::spawn(move || {
            let (_keep, events) = std::sync::mpsc::channel();
            director.run(&mut interfaces, &events, &forwarding).unwrap();
            director.summary()
        });

        let report = lab
            .run(&switch, 20, &mut |_| ControlFlow::Continue(()))
            .unwrap();
        assert_eq!(report.faults(), Vec::<String>::new());
        assert_eq!(report.servers.values().sum::<usize>(), 20);
        assert_eq!(report.proof.steps.len(), 4);
        assert!(report.upload && report.download);
        println!("real TCP is forwarded and proven: {:?}", report.servers);
        let mut passed = 2;

        let report = lab
            .run(&Dead(switch), 1, &mut |_| ControlFlow::Continue(()))
            .unwrap();
        assert_eq!(report.answered, 0);
        assert!(
            report
                .faults()
                .iter()
                .any(|fault| fault.contains("0 of 1 requests")),
            "{:?}",
            report.faults()
        );
        println!("without a datapath nothing is answered");
        passed += 1;

        stop.store(true, Ordering::Relaxed);
        answers.join().unwrap().unwrap();
        let summary = forwards.join().unwrap();
        assert!(summary.send > 100 && summary.ignored > 0, "{summary:?}");
        std::thread::sleep(Duration::from_millis(1));
        println!("{passed} passed, 0 failed"); // the first that fails ends the run
    }
}
