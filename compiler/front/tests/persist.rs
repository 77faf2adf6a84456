//! Clients of backends that are taken out of service, which a policy's own tests cannot do.

use std::net::Ipv4Addr;

use lvsc_abi::engine::Engine;
use lvsc_abi::image::Image;
use lvsc_abi::publish::publish;
use lvsc_abi::verdict::Verdict;
use lvsc_abi::world::World;
use lvsc_front::compile;
use lvsc_pipeline::interp::{Blind, Interpreter};

/// Two backends in turn, with this line.
fn policy(flows: &str) -> String {
    format!(
        "pool web {{
           scheduler {}
           backend rs1 192.0.2.21 mac 02:00:00:00:01:01
           backend rs2 192.0.2.22 mac 02:00:00:00:01:02
           flows {flows}
           persist 5m
         }}
         match ip.dst == 192.0.2.10 {{ select rs from web; dr(rs) }}",
        if flows == "off" { "maglev" } else { "rr" }
    )
}

/// A segment of TCP from this address and port.
fn frame(source: Ipv4Addr, port: u16) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0];
    frame.extend([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0]);
    frame.extend(source.octets());
    frame.extend([192, 0, 2, 10]);
    frame.extend(port.to_be_bytes());
    frame.extend([0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x02]);
    frame.resize(54, 0);
    frame
}

#[test]
fn a_client_stays_with_a_backend_that_drains() {
    for flows in ["64", "off"] {
        let pipeline = compile("policy.lvs", &policy(flows)).pipeline;
        let pipeline = pipeline.expect("a policy without errors");
        let manifest = pipeline.manifest.clone();
        let mut world = World::for_tests(&manifest);
        let mut engine = Interpreter::new(pipeline);
        let mut ask = |world: &World, host: u8, port| {
            publish(&manifest, world, engine.image_mut() as &mut dyn Image);
            let mut frame = frame(Ipv4Addr::new(198, 51, 100, host), port);
            let (verdict, _) = engine.observe(&mut frame, 0, &mut Blind);
            assert_eq!(verdict, Verdict::Send);
            frame.get(5).copied()
        };
        let first = ask(&world, 7, 1);
        let name = format!("rs{}", first.expect("a MAC"));
        let drained = world.backend_mut(&manifest, "web", &name);
        drained.expect("a backend").weight = 0;
        for port in 1..20 {
            assert_eq!(ask(&world, 7, port), first, "{flows}: its client's flows");
            assert_ne!(ask(&world, 8, port), first, "{flows}: those of others");
        }
        world.seconds += 301;
        assert_ne!(ask(&world, 7, 30), first, "{flows}: after its time");
    }
}
