//! The sample policies of the language's own description.

use super::*;

/// Direct routing.
pub const DR: &str = r#"# policies/dr.lvs - LVS direct routing (DR)
#
# The director rewrites the MAC addresses and nothing else. The real server owns the VIP
# on its loopback, so it answers the client itself, past the director.

const VIP = 192.168.46.200

pool web {
  scheduler wrr
  backend   192.168.46.130 weight 1
  backend   192.168.46.134 weight 1
}

match ip.dst == VIP {
  select rs from web
  eth.src = ingress.mac
  eth.dst = rs.mac
  send ingress
}

test "a client's SYN leaves for a real server, the packet itself untouched" {
  send   eth / ip 192.168.46.135 -> VIP / tcp 40000 -> 80 S
  expect send ingress { eth.dst in web.macs, ip unchanged }
}

test "the path's ICMP errors find the same real server" {
  send   eth / ip 192.168.46.135 -> VIP / tcp 40000 -> 80 S
  expect send ingress
  send   eth / ip 10.0.0.1 -> VIP / icmp type=3 code=4 / ip VIP -> 192.168.46.135 / tcp 80 -> 40000
  expect same backend
}

test "what is not for the VIP goes to the kernel" {
  send   eth / ip 192.168.46.135 -> 192.168.46.131 / tcp 40000 -> 22 S
  expect pass
}
"#;

/// Several services, an access list, a rate limit.
pub const EDGE: &str = r#"# policies/edge.lvs - several services, an access list, a rate limit, draining, statistics
const OFFICE = { 192.168.46.0/24, 10.0.0.0/8 }

set   blocklist : net { file "blocklist.txt"; capacity 64K }
meter per_client { key ip.src; rate 200/s; burst 400; capacity 64K }

pool web {
  scheduler maglev by flow
  backend   rs1 192.168.46.130 weight 2
  backend   rs2 192.168.46.134 weight 1 drain      # keeps its flows, gets no new ones
  flows     1M idle 15m
  check     tcp 80 every 2s fall 3 rise 2
}

match ip.dst == 192.168.46.200 {
  match ip.src in blocklist { drop blocked }
  match ip.src not in OFFICE and tcp.syn and per_client.exceeded { drop limited }
  switch flow.dport {
    80, 443 -> { select rs from web; dr(rs) }
    22      -> pass
    _       -> drop closed
  }
}
"#;

/// Excerpts of the prelude.
const PRELUDE: &str = r"header eth {
  dst: mac
  src: mac
  type: u16
}
header vlan after eth, vlan when type in { 0x8100, 0x88a8 } max 2 { pcp: u3; dei: u1; vid: u12; type: u16 }
header ip4 after eth, vlan when type == 0x0800 {
  version: u4; ihl: u4; dscp: u6; ecn: u2; length: u16
  id: u16; reserved: u1; df: u1; mf: u1; offset: u13
  ttl: u8; protocol: u8; checksum: u16
  src: ip4addr
  dst: ip4addr
  size ihl * 4
  valid version == 4 and ihl >= 5
  checksum internet
  let later_fragment = offset != 0
}
group ip = ip4 | ip6
header tcp after ip when protocol == 6 and not later_fragment {
  src: u16; dst: u16; seq: u32; ack_number: u32; offset: u4; reserved: u4; flags: u8
  window: u16; checksum: u16; urgent: u16
  size offset * 4
  let syn = flags & 0x02 != 0
}

action dr(b: backend) {          # direct routing: readdress the frame, leave the packet
  eth.src = b.interface.mac
  eth.dst = b.mac
  send b.interface
}
action tun(b: backend) {         # IP in IP, RFC 2003
  push ip4 { src: b.interface.ip, dst: b.ip, protocol: 4, ttl: 64 }
  eth.src = b.interface.mac
  eth.dst = b.mac
  send b.interface
}
action nat(b: backend) {         # with the return rule in policies/nat.lvs
  ip.dst = b.ip
  l4.dst = b.l4port
  eth.dst = b.mac
  send b.interface
}
";

/// Every production of the grammar.
pub const EVERYTHING: &str = r#"# One of everything.
use nat
use "lib/own.lvs"
const OFFICE = { 192.168.46.0/24, 10.0.0.0/8, 2001:db8::/32 }
interface wan
interface lan { mac 02:00:00:00:00:0a; vip 192.0.2.10 }
pool web {
  scheduler wrr by flow, ip.src
  backend   192.0.2.1 weight 2 mac 02:00:00:00:00:01 via lan id 7
  backend   rs2 [2001:db8::1]:443 drain backup limit 1000 reopen 800
  flows     1M idle 15m
}
set blocked : net { file "blocked.txt"; capacity 64K
  198.51.100.0/24,
  OFFICE
}
table routes {
  key ip.dst lpm, vlan.vid exact
  value hop: neighbour, mark: u8
  entries {
    10.0.0.0/8, _ -> 192.0.2.1, 1
    (198.51.100.0/24, 5) -> 192.0.2.2, 2
  }
  capacity 1K
}
meter per_client { key ip.src; rate 200/s; burst 400 }
counter hits by ip.src capacity 1K
header vlan after eth, vlan when type in { 0x8100, 0x88a8 } max 2 {
  pcp: u3; dei: u1; vid: u12; type: u16
  size 4
  valid vid != 4095
  checksum internet
  let tagged: u1 = vid != 0
}
group ip = ip4 | ip6
fn low(a: u32, b: bytes[4]) -> u8 = a & 0xff
fn high(a: u32) -> u8 { let b = a >> 24; b }
action tun(b: backend) {
  push ip4 { src: b.interface.ip, dst: b.ip, ttl: 64 }
  pop vlan
  send b.interface
}
target xdp { mode native }
match ip.dst == 192.0.2.10 and not (tcp.flags & 0x12 == 0x02) {
  let x: u8 = -1 + ~2 * 3 % 4
  switch (flow.dport, x) {
    80, 443 if ip.src not in OFFICE -> { log "web"; count hits[ip.src] }
    (8000..8099, _), 0x10 & 0xf0 -> pass
    default -> drop closed
  }
  select rs from web by flow else { drop full }
  vlan[1].vid += 1
  tun(rs)
} else match low(1, 2) < 5 { pass } else { drop }
test "everything" {
  send eth 02:00:00:00:00:01 -> b.mac / ip A -> B ttl=3 / tcp 40000 -> 80 S / hex"00 01" on lan
  expect send ingress { eth.dst in web.macs, ip unchanged }
  expect same backend
  add blocked 10.0.0.0/8
  add routes (1, 2) -> 3, 4
  backend web.rs2 down
  advance 15m
  replay "a.pcap"
}
"#;

#[test]
fn the_sample_policies_are_read() {
    assert_eq!(items(DR).len(), 6);
    assert_eq!(items(EDGE).len(), 5);
    assert_eq!(items(PRELUDE).len(), 8);
    assert_eq!(items(EVERYTHING).len(), 18);
}

#[test]
fn line_ends_of_another_system_change_nothing() {
    let crlf = EDGE.replace('\n', "\r\n");
    assert_eq!(items(&crlf).len(), items(EDGE).len());
}

#[test]
fn the_tree_of_direct_routing_is_what_is_written() {
    let items = items(DR);
    let [Item::Const(vip), Item::Pool(pool), Item::Stmt(stmt), ..] = &items[..] else {
        panic!()
    };
    assert_eq!(show(&vip.value), "192.168.46.200");
    assert_eq!(pool.lines.len(), 3);
    let StmtKind::Match(service) = &stmt.kind else {
        panic!()
    };
    assert_eq!(show(&service.branches[0].condition), "(ip.dst == VIP)");
    assert_eq!(service.branches[0].block.stmts.len(), 4);
}
