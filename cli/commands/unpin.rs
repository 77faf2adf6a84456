//! `lvsc unpin`: takes off its devices what `lvsc run --pin` left there.

use crate::args::Unpin;
use crate::failure::{Failure, Status};
use crate::ui::Ui;

/// Takes it off.
#[cfg(target_os = "linux")]
pub fn run(args: &Unpin, ui: &mut Ui) -> Result<Status, Failure> {
    use lvsc_runtime::engine::xdp::pin::{Name, unpin};

    use crate::ui::number;

    let name: Name = args
        .name
        .parse()
        .map_err(|rule| Failure::told(format_args!("`{}`: {rule}", args.name)))?;
    let devices = unpin(&name)?;
    ui.confirm(format_args!("{name}: off {}", number(devices, "device")));
    Ok(Status::Fine)
}

/// Nothing is pinned here.
#[cfg(not(target_os = "linux"))]
pub fn run(_: &Unpin, _: &mut Ui) -> Result<Status, Failure> {
    Err(Failure::told(
        "nothing is pinned where there is no XDP: that needs Linux",
    ))
}
