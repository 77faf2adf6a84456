//! Each cause has its own words, and something to do.

use super::*;

/// One that lacks these.
fn machine(release: &str, lacking: &[u32]) -> Machine {
    let mask = lacking
        .iter()
        .fold(u64::MAX, |mask, bit| mask & !(1 << bit | 1 << 21));
    Machine {
        release: release.to_owned(),
        held: Held(mask),
    }
}

const NET_ADMIN: u32 = 12;
const PERFMON: u32 = 38;
const BPF: u32 = 39;

/// What is said, and what is to be done.
fn words(refusal: &Refusal) -> String {
    let remedy = refusal.remedy.as_deref().unwrap_or("nothing");
    format!("{}; {remedy}", refusal.what)
}

#[test]
fn what_cannot_be_loaded_has_its_cause() {
    let new = machine("6.18.2-arch", &[]);
    let cases: [(Step, i32, &Machine, &[&str]); 11] = [
        (
            Step::Probe,
            libc::ENOSYS,
            &new,
            &["loads no XDP program", "CONFIG_BPF_SYSCALL"],
        ),
        (
            Step::Probe,
            libc::EPERM,
            &machine("6.1.0", &[BPF, PERFMON]),
            &[
                "lacks BPF, PERFMON",
                "setcap cap_bpf,cap_net_admin,cap_net_raw,cap_perfmon+ep",
                "--target wasm",
            ],
        ),
        (Step::Probe, libc::EPERM, &new, &["own user namespace"]),
        (
            Step::Maps,
            libc::EPERM,
            &machine("6.1.0", &[BPF]),
            &["lacks BPF:"],
        ),
        (
            Step::Maps,
            libc::EINVAL,
            &machine("5.4.0-42-generic", &[]),
            &[
                "makes no maps",
                "this kernel is 5.4.0-42-generic",
                "5.15 is the oldest",
            ],
        ),
        (
            Step::Types,
            libc::EINVAL,
            &machine("4.19.1", &[]),
            &["types", "5.15"],
        ),
        (
            Step::Maps,
            libc::ENOMEM,
            &new,
            &["makes no maps", "`flows`"],
        ),
        (
            Step::Mapping,
            libc::EMFILE,
            &new,
            &["does not map", "ulimit -n"],
        ),
        (
            Step::Program,
            libc::EINVAL,
            &machine("6.1.0", &[PERFMON]),
            &["does not load", "lacks PERFMON:"],
        ),
        (
            Step::Program,
            libc::E2BIG,
            &new,
            &["does not load", "`flows`"],
        ),
        (
            Step::Devices,
            libc::ENODEV,
            &new,
            &["devices that the program sends to", "nothing"],
        ),
    ];
    for (step, number, machine, wanted) in cases {
        let said = words(&load(step, &Error::from_raw_os_error(number), machine));
        for word in wanted {
            assert!(said.contains(word), "no `{word}` in: {said}");
        }
    }
}

#[test]
fn a_device_that_refuses_a_program_is_named_with_its_reason() {
    let cases: [(Mode, u32, i32, &[&str]); 11] = [
        (Mode::Native, 1500, libc::EPERM, &["`eth0`", "NET_ADMIN"]),
        (Mode::Native, 1500, libc::ENODEV, &["`eth0` is gone"]),
        (
            Mode::Native,
            1500,
            libc::EOPNOTSUPP,
            &["`eth0` has no native mode (dummy)", "--mode generic"],
        ),
        (
            Mode::Native,
            1500,
            libc::ENOSPC,
            &["fewer receive queues", "ethtool -L eth0", "numrxqueues"],
        ),
        (
            Mode::Native,
            9000,
            libc::ERANGE,
            &["packets of 9000 bytes", "mtu 3506"],
        ),
        (Mode::Native, 9000, libc::EINVAL, &["packets of 9000 bytes"]),
        (
            Mode::Native,
            1500,
            libc::ERANGE,
            &["the peer of `eth0`", "--mode generic"],
        ),
        (
            Mode::Generic,
            9000,
            libc::EINVAL,
            &["does not take the program (generic mode)"],
        ),
        (
            Mode::Offload,
            1500,
            libc::EINVAL,
            &["onto a card", "--mode native"],
        ),
        (Mode::Offload, 1500, libc::EOPNOTSUPP, &["onto a card"]),
        (
            Mode::Generic,
            1500,
            libc::EMFILE,
            &["generic mode", "ulimit -n"],
        ),
    ];
    for (mode, mtu, number, wanted) in cases {
        let place = Place {
            device: "eth0",
            kind: "dummy",
            mtu,
            mode,
        };
        let machine = machine("6.1.0", &[NET_ADMIN]);
        let said = words(&attach(place, &Error::from_raw_os_error(number), &machine));
        for word in wanted {
            assert!(said.contains(word), "no `{word}` in: {said}");
        }
    }
}

#[test]
fn a_kernel_is_old_by_its_numbers_alone() {
    for (release, old) in [
        ("5.14.21-default", true),
        ("5.15.0", false),
        ("4.19", true),
        ("6.1.0-18-amd64", false),
        ("10.2", false),
        ("", false),
        ("next", false),
    ] {
        assert_eq!(machine(release, &[]).is_old(), old, "{release}");
    }
}

#[test]
fn another_mode_may_do_where_the_driver_refuses() {
    let driver = |number| is_of_driver(&Error::from_raw_os_error(number));
    for number in [
        libc::EOPNOTSUPP,
        libc::ENOSPC,
        libc::ERANGE,
        libc::EINVAL,
        libc::ENOMEM,
    ] {
        assert!(driver(number), "{number}");
    }
    for number in [
        libc::EPERM,
        libc::ENODEV,
        libc::EBUSY,
        libc::EEXIST,
        libc::EMFILE,
    ] {
        assert!(!driver(number), "{number}");
    }
}
