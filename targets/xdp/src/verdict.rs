//! What an XDP program returns (`enum xdp_action` of linux/bpf.h).

/// The packet ends here.
pub(crate) const DROP: i32 = 1;
/// The packet goes on to the kernel.
pub(crate) const PASS: i32 = 2;
/// The packet leaves by the interface by which it came.
pub(crate) const BACK: i32 = 3;
