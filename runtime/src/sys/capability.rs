//! What this process may do: its capabilities (`linux/capability.h`, `capabilities(7)`).

/// A right that lvsc needs for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Programs and maps of eBPF.
    Bpf,
    /// Changing devices, attaching programs to them, asking for neighbours.
    NetAdmin,
    /// Packet sockets.
    NetRaw,
    /// Programs that compute with addresses.
    Perfmon,
}

use Capability::{Bpf, NetAdmin, NetRaw, Perfmon};

/// All of them, in the order in which they are named.
const ALL: [Capability; 4] = [Bpf, NetAdmin, NetRaw, Perfmon];
/// `SYS_ADMIN` stands for those that were once a part of it.
const SYS_ADMIN: u32 = 21;

impl Capability {
    const fn bit(self) -> u32 {
        match self {
            NetAdmin => 12,
            NetRaw => 13,
            Perfmon => 38,
            Bpf => 39,
        }
    }

    /// As people say it: `NET_ADMIN`.
    pub const fn name(self) -> &'static str {
        match self {
            NetAdmin => "NET_ADMIN",
            NetRaw => "NET_RAW",
            Perfmon => "PERFMON",
            Bpf => "BPF",
        }
    }

    const fn is_of_admin(self) -> bool {
        matches!(self, Bpf | Perfmon)
    }
}

/// The capabilities in force, as a mask of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held(pub u64);

impl Held {
    /// Those of this process; where that cannot be read, nothing is known to be missing.
    pub fn here() -> Held {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let mask = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        Held(mask.unwrap_or(u64::MAX))
    }

    fn has(self, wanted: Capability) -> bool {
        let bit = |bit: u32| self.0 >> bit & 1 == 1;
        bit(wanted.bit()) || wanted.is_of_admin() && bit(SYS_ADMIN)
    }

    /// Those of `needed` that are missing.
    pub fn lacking(self, needed: &[Capability]) -> Vec<Capability> {
        let missing = needed.iter().filter(|one| !self.has(**one));
        missing.copied().collect()
    }

    /// The command that gives the program what it needs, and leaves it what it has: giving some takes all others.
    pub fn setcap(self, needed: &[Capability]) -> String {
        let wanted = ALL
            .iter()
            .filter(|one| needed.contains(*one) || self.has(**one));
        let names: Vec<String> = wanted
            .map(|one| format!("cap_{}", one.name().to_lowercase()))
            .collect();
        format!(
            "`sudo setcap {}+ep \"$(command -v lvsc)\"`",
            names.join(",")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMIN: u64 = 1 << SYS_ADMIN;
    const NET: u64 = 1 << 12;

    #[test]
    fn the_capability_that_is_missing_is_named() {
        let lacking = |mask| Held(mask).lacking(&[Bpf, NetAdmin, Perfmon]);
        assert_eq!(lacking(u64::MAX), []);
        assert_eq!(lacking(ADMIN | NET), [], "SYS_ADMIN holds the others");
        assert_eq!(lacking(0), [Bpf, NetAdmin, Perfmon]);
        assert_eq!(lacking(NET | 1 << 39), [Perfmon]);
        assert_eq!(lacking(ADMIN), [NetAdmin]);
    }

    #[test]
    fn what_is_given_takes_nothing_away() {
        let sockets = Held(NET | 1 << 13);
        assert_eq!(
            sockets.setcap(&[Bpf, NetAdmin, Perfmon]),
            "`sudo setcap cap_bpf,cap_net_admin,cap_net_raw,cap_perfmon+ep \"$(command -v lvsc)\"`"
        );
        let none = Held(0).setcap(&[NetAdmin, NetRaw]);
        assert!(
            none.contains("setcap cap_net_admin,cap_net_raw+ep"),
            "{none}"
        );
    }
}
