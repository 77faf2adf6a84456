//! Frames as they are on the wire: from one interface to another, and with tags.

use std::time::Duration;

use lvsc_abi::engine::Mode;
use lvsc_abi::mac::Mac;
use lvsc_runtime::lab::namespaces::Lab;
use lvsc_runtime::netlink::{Message, Netlink};
use lvsc_runtime::sys::bpf;
use lvsc_runtime::sys::namespace::Namespace;
use lvsc_runtime::sys::ring::{Only, Options, Ring};
use lvsc_runtime::vip::tagged;

use crate::child::{ETH0, Running, file, foreign, link, plan, run};

const FRAMES: u16 = 50;
const TPID: u16 = 0x8100;

/// An ear and a mouth on `eth0` of a station, with room for all that a case sends.
pub fn ring(station: &Namespace) -> Ring {
    let options = Options {
        index: ETH0,
        only: Only::All,
        vnet: false,
        ignore_outgoing: true,
        frame: 2048,
        frames: 16_384,
    };
    station.run(move || Ring::open(options)).unwrap().unwrap()
}

/// A UDP packet of a flow to the VIP, with a number in it.
pub fn packet(to: Mac, flow: u16, number: u32) -> Vec<u8> {
    let mut frame = [to.0, plan().client.mac.0].concat();
    frame.extend([8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend(plan().client.ip.octets());
    frame.extend(plan().vip.octets());
    frame.extend([10_000 + flow, 53, 26, 0].map(u16::to_be_bytes).concat());
    frame.extend(number.to_be_bytes());
    frame.resize(60, 0);
    frame
}

/// A frame for the VIP that came to a station, and its tag.
pub struct Came {
    pub bytes: Vec<u8>,
    pub tag: Option<(u16, u16)>,
}

/// The UDP packets for the VIP that come to a station until none has come for a while.
pub fn gather(ring: &mut Ring, patience: Duration) -> Vec<Came> {
    let mut came = Vec::new();
    loop {
        Ring::wait([&*ring], patience).unwrap();
        let before = came.len();
        while let Some(frame) = ring.take(|frame| Came {
            bytes: frame.bytes.to_vec(),
            tag: frame.tag,
        }) {
            let bytes = &frame.bytes;
            if bytes.len() >= 34
                && bytes[12..14] == [8, 0]
                && bytes[23] == 17
                && bytes[30..34] == plan().vip.octets()
            {
                came.push(frame);
            }
        }
        if came.len() == before {
            assert_eq!(ring.dropped(), 0);
            return came;
        }
    }
}

/// A pair of links: one end here, the other is `eth0` of a station; with more that both have.
pub fn join(
    here: &Namespace,
    (index, name, mac): (u32, &str, Mac),
    station: &Namespace,
    more: impl Fn(Message) -> Message,
) {
    const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
    let peer = Message::fragment()
        .link(ETH0, 0, 0)
        .text(libc::IFLA_IFNAME, "eth0")
        .number(libc::IFLA_NET_NS_FD, station.number().unsigned_abs());
    let peer = more(peer);
    let message = Message::new(libc::RTM_NEWLINK, CREATE)
        .link(index, 0, 0)
        .text(libc::IFLA_IFNAME, name)
        .attribute(libc::IFLA_ADDRESS, &mac.0);
    let message = more(message)
        .open(libc::IFLA_LINKINFO)
        .text(1, "veth")
        .open(2)
        .attribute(1, &peer.into_bytes());
    let message = message.close().close();
    here.run(|| Netlink::open()?.call(message))
        .unwrap()
        .unwrap();
    here.run(move || Netlink::open()?.up(index))
        .unwrap()
        .unwrap();
    station.run(|| Netlink::open()?.up(ETH0)).unwrap().unwrap();
}

pub fn frames_leave_by_the_other_interface(_: &Lab) {
    const LAN: Mac = Mac([2, 0, 0, 0, 0, 0x30]);
    const WAN: Mac = Mac([2, 0, 0, 0, 0, 0x31]);
    const SERVER: Mac = Mac([2, 0, 0, 0, 0, 0x10]);
    let [here, inside, outside] = std::array::from_fn(|_| Namespace::new().unwrap());
    join(&here, (30, "lan0", LAN), &inside, |plain| plain);
    join(&here, (31, "wan0", WAN), &outside, |plain| plain);
    // A veth device takes what is redirected to its peer only where it has a program of its own (drivers/net/veth.c).
    let _receiver = outside
        .run(|| bpf::attach(&foreign(), ETH0, Mode::Native))
        .unwrap()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let policy = "interface lan\ninterface wan\n\
                  pool web { scheduler maglev\n backend rs1 198.51.100.10 mac 02:00:00:00:00:10 via wan }\n\
                  match ip.dst == 192.0.2.200 { select rs from web\n eth.src = wan.mac\n eth.dst = rs.mac\n send wan }\n";
    let policy = file(folder.path(), "two.lvs", policy);
    let (mut ear, mouth) = (ring(&outside), ring(&inside));
    // It takes over from a policy of one interface.
    let one = "interface lan\nmatch udp { drop closed }\n";
    let one = file(folder.path(), "one.lvs", one);
    let pinned = ["--target", "xdp", "--pin", "two", "-i", "lan=lan0"];
    Running::start(&here, &[&[one.as_str()], &pinned[..]].concat()).end();
    let args = [&[policy.as_str()], &pinned[..], &["-i", "wan=wan0"]].concat();
    let running = Running::start(&here, &args);
    for number in 0..FRAMES {
        mouth
            .send(&[], &packet(LAN, number, number.into()))
            .unwrap();
        mouth.send(&[], &packet(SERVER, number, 0)).unwrap(); // for somebody else
    }
    let came = gather(&mut ear, Duration::from_millis(300));
    assert_eq!(came.len(), usize::from(FRAMES));
    for (number, frame) in (0..).zip(&came) {
        let mut wanted = packet(SERVER, number, number.into());
        wanted[6..12].copy_from_slice(&WAN.0);
        assert_eq!(frame.bytes, wanted, "only the MACs are new");
    }
    let record = running.end();
    assert_eq!(record["send"], FRAMES);
    let names = [0, 1].map(|at| record["devices"][at]["name"].as_str().unwrap());
    assert_eq!(names, ["lan0", "wan0"], "in the policy's order");
    // Nobody runs, and it forwards.
    mouth.send(&[], &packet(LAN, 0, 0)).unwrap();
    assert_eq!(gather(&mut ear, Duration::from_millis(300)).len(), 1);
    half_way(&here, "/sys/fs/bpf/lvsc/two");
    let running = Running::start(&here, &args);
    mouth.send(&[], &packet(LAN, 0, 0)).unwrap();
    assert_eq!(gather(&mut ear, Duration::from_millis(300)).len(), 1);
    assert_eq!(running.end()["send"], FRAMES + 2);
    assert_eq!(run(&here, &["unpin", "two"]).out, "two: off 2 devices\n");
}

/// Leaves a name as a process does that dies while one of two devices has gone over to another program.
fn half_way(place: &Namespace, home: &str) {
    let stranger = foreign();
    let id = bpf::program_info(&stranger).unwrap().id;
    let folder = format!("{home}/run_{id}");
    std::fs::create_dir(&folder).unwrap();
    bpf::pin(&stranger, format!("{folder}/program").as_ref()).unwrap();
    let held = bpf::get(format!("{home}/link_31").as_ref()).unwrap();
    let program = bpf::program(bpf::link_info(&held).unwrap().program).unwrap();
    bpf::exchange(&held, &stranger, &program).unwrap();
    assert_eq!(link(place, 31).programs[0].program, id);
}

pub fn tagged_frames_go_to_their_vlans_servers(lab: &Lab) {
    let folder = tempfile::tempdir().unwrap();
    let policy = "pool blue { scheduler maglev\n backend rs1 192.0.2.130 mac 02:00:c0:00:02:82 }\n\
                  pool green { scheduler maglev\n backend rs2 192.0.2.134 mac 02:00:c0:00:02:86 }\n\
                  match ip.dst == 192.0.2.200 {\n switch vlan.vid {\n 10 -> { select rs from blue; dr(rs) }\n\
                  20 -> { select rs from green; dr(rs) }\n _ -> drop unknown_vlan } }\n";
    let policy = file(folder.path(), "tags.lvs", policy);
    let args = [&policy, "--target", "xdp", "-i", "eth0"];
    let running = Running::start(lab.director().unwrap(), &args);
    let mouth = ring(lab.client().unwrap());
    let mut ears = [0, 1].map(|number| ring(lab.server(number).unwrap()));
    let to = plan().director.mac;
    for number in 0..FRAMES {
        let packet = packet(to, number, number.into());
        mouth.send(&[], &packet).unwrap();
        for vid in [10, 20, 30] {
            mouth
                .send(&[], &tagged(packet.clone(), (TPID, vid)))
                .unwrap();
        }
    }
    for (ear, vid) in ears.iter_mut().zip([10, 20]) {
        let came = gather(ear, Duration::from_millis(300));
        assert_eq!(came.len(), usize::from(FRAMES), "VLAN {vid}");
        for (number, frame) in (0..).zip(&came) {
            assert_eq!(frame.tag, Some((TPID, vid)));
            assert_eq!(frame.bytes[14..], packet(to, number, number.into())[14..]);
        }
    }
    let record = running.end();
    assert_eq!(
        record["reasons"]["unknown_vlan"],
        2 * FRAMES,
        "of another VLAN, and of none"
    );
    assert_eq!(record["send"], 2 * FRAMES);
}
