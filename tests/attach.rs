//! The XDP program on devices, as an operator has it: modes, other programs, names under which it stays, swaps, frames.
//!
//! No test harness: the process enters namespaces of its own, for the network and for mounts, which it must do before any
//! thread exists. Nothing is left on the machine.

#![cfg_attr(not(target_os = "linux"), allow(unused, reason = "Linux only"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod support;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
#[path = "attach/again.rs"]
mod again;
#[cfg(target_os = "linux")]
#[path = "attach/asked.rs"]
mod asked;
#[cfg(target_os = "linux")]
#[path = "attach/child.rs"]
mod child;
#[cfg(target_os = "linux")]
#[path = "attach/devices.rs"]
mod devices;
#[cfg(target_os = "linux")]
#[path = "attach/directed.rs"]
mod directed;

#[path = "attach/frames.rs"]
mod frames;
#[cfg(target_os = "linux")]
#[path = "attach/names.rs"]
mod names;
#[cfg(target_os = "linux")]
#[path = "attach/pins.rs"]
mod pins;
#[cfg(target_os = "linux")]
#[path = "attach/queue.rs"]
mod queue;
#[cfg(target_os = "linux")]
#[path = "attach/reload.rs"]
mod reload;
#[cfg(target_os = "linux")]
#[path = "attach/reserve.rs"]
mod reserve;
#[cfg(target_os = "linux")]
#[path = "attach/rolling.rs"]
mod rolling;
#[cfg(target_os = "linux")]
#[path = "attach/schedulers.rs"]
mod schedulers;
#[cfg(target_os = "linux")]
#[path = "attach/shared.rs"]
mod shared;
#[cfg(target_os = "linux")]
#[path = "attach/swap.rs"]
mod swap;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;

    use lvsc_runtime::engine::xdp::allowed;
    use lvsc_runtime::lab::namespaces::Lab;
    use lvsc_runtime::sys::namespace::isolate;

    /// A name, and what is tried in the lab.
    type Case = (&'static str, fn(&Lab));
    /// Says that this process has its own BPF file system, and its own `/run`.
    const INSIDE: &str = "LVSC_TEST_INSIDE";

    let mut mounts = std::process::Command::new("unshare");
    let mounts = mounts.args(["--mount", "true"]).output();
    if !(allowed() && mounts.is_ok_and(|tried| tried.status.success())) {
        let required = std::env::var_os("LVSC_REQUIRE_KERNEL").is_some();
        assert!(!required, "no XDP program, or no namespace of mounts");
        println!("ignored: needs the right to load XDP programs, and to mount");
        return ExitCode::SUCCESS;
    }
    if std::env::var_os(INSIDE).is_none() {
        let this = std::env::current_exe().unwrap();
        let script = "mount -t bpf bpf /sys/fs/bpf && mount -t tmpfs run /run && mkdir /run/own && exec \"$0\" \"$@\"";
        let mut inside = std::process::Command::new("unshare");
        inside.args(["--mount", "sh", "-c", script]).arg(this);
        inside.args(std::env::args().skip(1));
        inside.env(INSIDE, "1").env("XDG_RUNTIME_DIR", "/run/own");
        let ended = inside.status().unwrap();
        return ExitCode::from(u8::try_from(ended.code().unwrap_or(1)).unwrap());
    }
    isolate().unwrap();
    let mut lab = Lab::up(child::plan()).unwrap();
    lab.plain_frames().unwrap();
    child::serve(&lab);
    let cases: [Case; 40] = [
        (
            "the_mode_is_the_one_that_was_asked_for",
            devices::the_mode_is_the_one_that_was_asked_for,
        ),
        (
            "a_device_that_refuses_is_named_with_its_reason",
            devices::a_device_that_refuses_is_named_with_its_reason,
        ),
        (
            "another_program_stays_unless_it_is_to_be_replaced",
            devices::another_program_stays_unless_it_is_to_be_replaced,
        ),
        (
            "what_a_link_holds_is_not_replaced",
            devices::what_a_link_holds_is_not_replaced,
        ),
        (
            "a_device_that_comes_again_is_gone_on_with",
            devices::a_device_that_comes_again_is_gone_on_with,
        ),
        (
            "the_capability_that_is_missing_is_named",
            devices::the_capability_that_is_missing_is_named,
        ),
        (
            "flags_of_xdp_mean_nothing_to_others",
            devices::flags_of_xdp_mean_nothing_to_others,
        ),
        (
            "a_built_artifact_runs_and_a_damaged_one_is_refused",
            devices::a_built_artifact_runs_and_a_damaged_one_is_refused,
        ),
        (
            "the_verifiers_words_are_for_who_asks",
            devices::the_verifiers_words_are_for_who_asks,
        ),
        (
            "frames_leave_by_the_other_interface",
            frames::frames_leave_by_the_other_interface,
        ),
        (
            "tagged_frames_go_to_their_vlans_servers",
            frames::tagged_frames_go_to_their_vlans_servers,
        ),
        (
            "connections_live_through_a_crash_and_another_policy",
            pins::connections_live_through_a_crash_and_another_policy,
        ),
        (
            "it_is_said_how_packets_come",
            shared::it_is_said_how_packets_come,
        ),
        (
            "what_cannot_be_shared_is_named",
            shared::what_cannot_be_shared_is_named,
        ),
        (
            "the_kernel_keeps_what_the_policy_passes",
            shared::the_kernel_keeps_what_the_policy_passes,
        ),
        (
            "what_was_built_says_itself_which_packets_are_the_kernels",
            shared::what_was_built_says_itself_which_packets_are_the_kernels,
        ),
        (
            "frames_of_every_queue_leave_by_the_other_interface",
            shared::frames_of_every_queue_leave_by_the_other_interface,
        ),
        (
            "a_queue_that_is_let_go_of_is_taken",
            queue::a_queue_that_is_let_go_of_is_taken,
        ),
        (
            "a_queue_that_is_held_is_named",
            queue::a_queue_that_is_held_is_named,
        ),
        (
            "a_device_that_refuses_the_program_changes_nothing_on_the_others",
            reserve::a_device_that_refuses_the_program_changes_nothing_on_the_others,
        ),
        (
            "what_stays_after_a_crash_is_not_switched_off",
            reserve::what_stays_after_a_crash_is_not_switched_off,
        ),
        ("what_is_pinned_comes_off", names::what_is_pinned_comes_off),
        (
            "what_is_foreign_is_left_alone",
            names::what_is_foreign_is_left_alone,
        ),
        (
            "what_others_have_pinned_is_measured",
            names::what_others_have_pinned_is_measured,
        ),
        (
            "without_a_bpf_file_system_it_is_said_how_to_get_one",
            names::without_a_bpf_file_system_it_is_said_how_to_get_one,
        ),
        (
            "no_frame_is_lost_and_none_miscounted_while_policies_change",
            swap::no_frame_is_lost_and_none_miscounted_while_policies_change,
        ),
        (
            "a_policy_that_cannot_take_over_leaves_the_old_one",
            swap::a_policy_that_cannot_take_over_leaves_the_old_one,
        ),
        (
            "sockets_stay_while_policies_change_and_no_frame_is_lost",
            reload::sockets_stay_while_policies_change_and_no_frame_is_lost,
        ),
        (
            "the_kernel_keeps_what_the_policy_in_force_passes",
            reload::the_kernel_keeps_what_the_policy_in_force_passes,
        ),
        (
            "what_cannot_be_steered_does_not_take_over",
            reload::what_cannot_be_steered_does_not_take_over,
        ),
        (
            "a_device_with_another_mac_goes_on_and_so_does_the_next_policy",
            reload::a_device_with_another_mac_goes_on_and_so_does_the_next_policy,
        ),
        (
            "a_signal_has_the_policy_read_again",
            again::a_signal_has_the_policy_read_again,
        ),
        (
            "a_policy_that_is_saved_is_gone_on_with",
            again::a_policy_that_is_saved_is_gone_on_with,
        ),
        (
            "who_asks_is_answered_once_the_policy_is_in_force",
            asked::who_asks_is_answered_once_the_policy_is_in_force,
        ),
        (
            "who_asks_hears_why_the_policy_before_goes_on",
            asked::who_asks_hears_why_the_policy_before_goes_on,
        ),
        (
            "who_says_nothing_or_nonsense_keeps_nobody_waiting",
            asked::who_says_nothing_or_nonsense_keeps_nobody_waiting,
        ),
        (
            "one_director_listens_at_a_place_and_leaves_it",
            asked::one_director_listens_at_a_place_and_leaves_it,
        ),
        (
            "what_is_pinned_is_gone_on_with_under_its_name",
            again::what_is_pinned_is_gone_on_with_under_its_name,
        ),
        (
            "every_scheduler_serves_every_connection_and_counts_it",
            schedulers::every_scheduler_serves_every_connection_and_counts_it,
        ),
        (
            "no_connection_breaks_while_backends_come_drain_and_go",
            rolling::no_connection_breaks_while_backends_come_drain_and_go,
        ),
    ];
    // As with the harness: only those with this in their names.
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let chosen = cases.iter().filter(|(name, _)| name.contains(&wanted));
    let mut passed = 0;
    for (name, case) in chosen {
        case(&lab);
        println!("test {name} ... ok");
        passed += 1; // the first that fails ends the run
    }
    println!("{passed} passed, 0 failed");
    ExitCode::SUCCESS
}
