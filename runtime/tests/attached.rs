//! A director attached to an interface: it announces the VIP, learns its backends' MACs by itself and forwards real TCP.
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
#[path = "attached/wire.rs"]
mod wire;

#[cfg(target_os = "linux")]
mod linux {
    use std::ops::ControlFlow;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    use lvsc_abi::engine::{BATCH, Engine, EngineError, Packet, Room, SLOT};
    use lvsc_abi::image::{Bytes, Image, Width};
    use lvsc_abi::layout::{Element, Layout, interface};
    use lvsc_abi::mac::Mac;
    use lvsc_abi::manifest::{Backend, Interface, Manifest, Pool, Vip};
    use lvsc_abi::scheduler::Scheduler;
    use lvsc_abi::verdict::Verdict;
    use lvsc_runtime::director::interface::{AttachError, Attached};
    use lvsc_runtime::director::{AnyEngine, Notice};
    use lvsc_runtime::lab::namespaces::Lab;
    use lvsc_runtime::lab::{Host, Plan};
    use lvsc_runtime::netlink::{Message, Netlink};
    use lvsc_runtime::sys::namespace::{Namespace, isolate};

    use crate::wire;

    fn host(name: &str, last: u8) -> Host {
        let ip = [192, 0, 2, last].into();
        Host {
            name: name.to_owned(),
            ip,
            mac: Mac([2, 0, 192, 0, 2, last]),
        }
    }

    pub(super) fn plan() -> Plan {
        Plan {
            vip: [192, 0, 2, 200].into(),
            port: 80,
            prefix: 24,
            client: host("client", 135),
            director: host("director", 131),
            servers: vec![host("rs1", 130), host("rs2", 134)],
        }
    }

    pub(super) fn manifest(backends: &[Host]) -> Manifest {
        let backend =
            |(id, host): (usize, &Host)| Backend::new(id as u16, host.name.clone(), host.ip);
        Manifest {
            interfaces: vec![Interface {
                name: "lan".to_owned(),
                ..Interface::default()
            }],
            pools: vec![Pool {
                backends: backends.iter().enumerate().map(backend).collect(),
                ..Pool::new("web", Scheduler::Maglev)
            }],
            vips: vec![Vip {
                address: plan().vip.into(),
                prefix: 32,
                port: Some(80),
            }],
            ..Manifest::default()
        }
    }

    /// Direct routing by hand: the source port picks a ring slot, the rest is in the image.
    struct Forwarder {
        slots: Vec<Vec<u8>>,
        image: Bytes,
        /// How long it sleeps over its first batch.
        sleep: Duration,
    }

    pub(super) fn engine(sleep: Duration) -> AnyEngine {
        let mut layout = Layout::new();
        layout.add("header", Element::Header, 1);
        layout.add("interfaces", Element::Interface, 1);
        layout.add("backends.web", Element::Backend, 4);
        layout.add("ring.web", Element::Slot, 64);
        let slots = vec![vec![0; SLOT as usize]; BATCH];
        Box::new(Forwarder {
            slots,
            image: Bytes::new(layout),
            sleep,
        })
    }

    impl Forwarder {
        fn load(&self, section: &str, index: u64, width: Width) -> u64 {
            let section = self.image.layout().named(section).unwrap().1;
            self.image.load(section.at(index, interface::RECORD), width)
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
            std::thread::sleep(std::mem::take(&mut self.sleep));
            for (index, packet) in packets.iter_mut().enumerate() {
                let frame = &self.slots[index][packet.range()];
                let ours = frame.len() > 36
                    && frame[12..14] == [8, 0]
                    && frame[30..34] == plan().vip.octets();
                packet.verdict = if ours { Verdict::Send } else { Verdict::Pass };
                if ours {
                    let id = self.load("ring.web", frame[35].into(), Width::B2);
                    let [to, from] = [("backends.web", id), ("interfaces", 0)]
                        .map(|(name, index)| Mac::from_record(self.load(name, index, Width::B8)));
                    let frame = &mut self.slots[index][packet.range()];
                    frame[..6].copy_from_slice(&to.0);
                    frame[6..12].copy_from_slice(&from.0);
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

    pub(super) fn open(
        station: &Namespace,
        backends: &[Host],
        devices: &[&str],
    ) -> Result<Attached, AttachError> {
        let devices: Vec<String> = devices.iter().map(|device| (*device).to_owned()).collect();
        attach(station, manifest(backends), &devices)
    }

    fn attach(
        station: &Namespace,
        manifest: Manifest,
        devices: &[String],
    ) -> Result<Attached, AttachError> {
        let devices = devices.to_vec();
        station
            .run(move || Attached::open(engine(Duration::ZERO).into(), manifest, &devices))
            .unwrap()
    }

    /// A director that sleeps over its first batch.
    pub(super) fn sleepy(station: &Namespace, sleep: Duration) -> Attached {
        let manifest = manifest(&plan().servers);
        let attached = move || Attached::open(engine(sleep).into(), manifest, &["eth0".to_owned()]);
        station.run(attached).unwrap().unwrap()
    }

    fn refused(station: &Namespace, devices: &[&str]) -> AttachError {
        match open(station, &plan().servers, devices) {
            Err(error) => error,
            Ok(_) => panic!("attached to {devices:?}"),
        }
    }

    /// Waits until `done`, three seconds at most.
    pub(super) fn wait(done: impl Fn() -> bool) -> bool {
        let begin = Instant::now();
        while !done() && begin.elapsed() < Duration::from_secs(3) {
            std::thread::sleep(Duration::from_millis(5));
        }
        done()
    }

    /// A name, and what is tried in the lab.
    type Case = (&'static str, fn(&Lab));

    pub(super) fn main() {
        if let Err(refused) = isolate() {
            let required = std::env::var_os("LVSC_REQUIRE_KERNEL").is_some();
            assert!(!required, "{refused}: {}", refused.remedy());
            println!("ignored: needs network namespaces ({refused})");
            return;
        }
        let lab = Lab::up(plan()).unwrap();
        // In this order: the last one takes the device away.
        let cases: [Case; 13] = [
            (
                "frames_come_whole_and_in_order",
                wire::frames_come_whole_and_in_order,
            ),
            (
                "devices_that_will_not_do_are_named",
                devices_that_will_not_do_are_named,
            ),
            (
                "backends_that_cannot_work_are_named",
                backends_that_cannot_work_are_named,
            ),
            (
                "a_device_without_an_address_is_noted",
                a_device_without_an_address_is_noted,
            ),
            (
                "an_attached_director_forwards_real_tcp",
                an_attached_director_forwards_real_tcp,
            ),
            (
                "a_backend_that_nobody_answers_for_is_named",
                a_backend_that_nobody_answers_for_is_named,
            ),
            (
                "a_question_is_answered_with_its_tag",
                wire::a_question_is_answered_with_its_tag,
            ),
            (
                "a_full_queue_is_no_reason_to_end",
                wire::a_full_queue_is_no_reason_to_end,
            ),
            (
                "a_forgotten_backend_is_asked_for_at_once",
                wire::a_forgotten_backend_is_asked_for_at_once,
            ),
            (
                "another_mac_of_the_device_is_told_to_clients",
                wire::another_mac_of_the_device_is_told_to_clients,
            ),
            (
                "another_policy_has_other_vips_and_backends",
                wire::another_policy_has_other_vips_and_backends,
            ),
            (
                "a_burst_has_room_and_what_has_none_is_told",
                wire::a_burst_has_room_and_what_has_none_is_told,
            ),
            (
                "an_interface_that_goes_away_ends_the_run",
                an_interface_that_goes_away_ends_the_run,
            ),
        ];
        for (name, case) in cases {
            case(&lab);
            println!("test {name} ... ok");
        }
        println!("{} passed, 0 failed", cases.len()); // the first that fails ends the run
    }

    fn devices_that_will_not_do_are_named(lab: &Lab) {
        let station = lab.director().unwrap();
        let text = refused(station, &["eth9"]).to_string();
        assert!(
            text.contains("no interface `eth9`") && text.contains("eth0"),
            "{text}"
        );
        assert!(matches!(
            refused(station, &["lo"]),
            AttachError::NotEthernet { .. }
        ));
        let many = refused(station, &["eth0", "eth0"]);
        assert!(
            many.to_string().contains("1 interfaces (lan), 2 given"),
            "{many}"
        );
        assert!(many.remedy().unwrap().contains("-i NAME=DEVICE"));
    }

    fn backends_that_cannot_work_are_named(lab: &Lab) {
        let station = lab.director().unwrap();
        let eth0 = ["eth0".to_owned()];
        let text = |change: fn(&mut Manifest)| {
            let mut manifest = manifest(&plan().servers);
            change(&mut manifest);
            let error = attach(station, manifest, &eth0).err();
            error.map_or(String::new(), |error| {
                format!("{error}; {}", error.remedy().unwrap_or_default())
            })
        };
        let own = text(|m| m.pools[0].backends[0].address = plan().director.ip.into());
        assert!(
            own.contains("rs1 has the address 192.0.2.131 of this host")
                && own.contains("; give rs1 in the policy the address of another host"),
            "{own}"
        );
        let same = text(|m| m.pools[0].backends[0].mac = Some(plan().director.mac));
        assert!(
            same.contains("; give rs1 in the policy the `mac` of"),
            "{same}"
        );
        let off = text(|m| m.pools[0].backends[1].address = [198, 51, 100, 1].into());
        assert!(
            off.contains("rs2 (198.51.100.1) is on no subnet of `eth0`"),
            "{off}"
        );
        let fixed = text(|m| {
            m.pools[0].backends[1].address = [198, 51, 100, 1].into();
            m.pools[0].backends[1].mac = Some(plan().servers[1].mac);
        });
        assert_eq!(fixed, "", "whose MAC is fixed is asked for nothing");
        let foreign = text(|m| m.interfaces[0].mac = Some(Mac([2, 0, 0, 0, 0, 1])));
        assert!(
            foreign.contains("`eth0` has 02:00:c0:00:02:83"),
            "{foreign}"
        );
        assert!(
            foreign.contains("ip link set eth0 address 02:00:00:00:00:01"),
            "{foreign}"
        );
    }

    /// On a host that has no address at all, where every address can be bound to.
    fn a_device_without_an_address_is_noted(_: &Lab) {
        const BARE: u32 = 77;
        const CREATE: u16 = 0x600;
        const INFO_KIND: u16 = 1;
        let station = Namespace::new().unwrap();
        // RTM_NEWLINK
        let bare = Message::new(16, CREATE).link(BARE, 1, 1).text(3, "bare0");
        let bare = bare.open(18).text(INFO_KIND, "bridge").close();
        let made = station.run(move || Netlink::open()?.call(bare));
        made.unwrap().unwrap();
        let attached = open(&station, &plan().servers, &["bare0"]).unwrap();
        let notes: Vec<String> = attached
            .warnings()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(
            notes.len() == 1 && notes[0].contains("`bare0` has no IPv4 address"),
            "{notes:?}"
        );
        assert!(attached.warnings()[0].is_note());
    }

    fn an_attached_director_forwards_real_tcp(lab: &Lab) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&told);
        let attached = open(lab.director().unwrap(), &plan().servers, &["eth0"]).unwrap();
        assert_eq!(attached.warnings(), []);
        let mut attached = attached.telling(move |notice| ear.lock().unwrap().push(notice));
        let switch = attached.director().switch();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let running = std::thread::spawn(move || {
            attached.run(&stopped).unwrap();
            attached.summary()
        });
        assert!(wait(|| told.lock().unwrap().len() == 2), "{told:?}");
        let learnt = |notice: &Notice| matches!(notice, Notice::Neighbour { .. });
        assert!(told.lock().unwrap().iter().all(learnt), "{told:?}");

        let report = lab
            .run(&switch, 20, &mut |_| ControlFlow::Continue(()))
            .unwrap();
        assert_eq!(report.faults(), Vec::<String>::new());
        stop.store(true, Ordering::Relaxed);
        let summary = running.join().unwrap();
        assert!(summary.send > 100 && summary.ignored > 0, "{summary:?}");
        assert_eq!((summary.overrun, summary.failures), (0, 0));
        let macs: Vec<Option<Mac>> = summary.backends.iter().map(|backend| backend.mac).collect();
        assert_eq!(
            macs,
            plan()
                .servers
                .iter()
                .map(|host| Some(host.mac))
                .collect::<Vec<_>>()
        );
    }

    fn a_backend_that_nobody_answers_for_is_named(lab: &Lab) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&told);
        let attached = open(lab.director().unwrap(), &[host("ghost", 99)], &["eth0"]).unwrap();
        let mut attached = attached.telling(move |notice| ear.lock().unwrap().push(notice));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let running = std::thread::spawn(move || attached.run(&stopped));
        assert!(wait(|| !told.lock().unwrap().is_empty()));
        assert_eq!(
            *told.lock().unwrap(),
            [Notice::Missing(vec!["ghost".to_owned()])]
        );
        stop.store(true, Ordering::Relaxed);
        running.join().unwrap().unwrap();
    }

    fn an_interface_that_goes_away_ends_the_run(lab: &Lab) {
        let station = lab.director().unwrap();
        let mut attached = open(station, &plan().servers, &["eth0"]).unwrap();
        let running = std::thread::spawn(move || attached.run(&AtomicBool::new(false)));
        let delete = station.run(|| {
            let mut netlink = Netlink::open()?;
            let index = netlink.link("eth0")?.index;
            // RTM_DELLINK
            netlink.call(Message::new(17, 0).link(index, 0, 0))
        });
        delete.unwrap().unwrap();
        let ended = wait(|| running.is_finished());
        assert!(ended, "the director goes on without its interface");
        let error = running.join().unwrap().unwrap_err();
        assert!(error.to_string().contains("is gone"), "{error}");
    }
}
