//! Direct routing by the kernel's own rules (nftables, a chain of family netdev at `ingress`): what one writes who has no
//! program for it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::{Command, Output, Stdio};

use lvsc_runtime::lab::wire::Wire;

use super::super::hand::Hand;
use super::{Subject, ways};
use crate::failure::Failure;

/// What people call it.
pub const NAME: &str = "nft";

/// The rules; an error where the policy is more than they can say.
pub fn of(subject: &Subject<'_>) -> Result<String, Failure> {
    let (pipeline, world) = (&subject.checked.pipeline, ways::world(subject));
    let manifest = &pipeline.manifest;
    let more = || Failure::told("the policy is more than one VIP and one pool, by its flows");
    let _ = Hand::of(pipeline).ok_or_else(more)?;
    let fields = subject.train.marks.iter().map(|mark| mark.field);
    let protocol = fields
        .filter_map(|field| field.strip_suffix(".src"))
        .find(|protocol| ["tcp", "udp"].contains(protocol))
        .ok_or_else(more)?;
    let own = world.interfaces.first().and_then(|own| own.mac);
    let (vip, own) = manifest.vips.first().zip(own).ok_or_else(more)?;
    let macs = world.pools.first().ok_or_else(more)?.iter();
    let macs: Vec<String> = (0..)
        .zip(macs.filter_map(|backend| backend.mac))
        .map(|(number, mac)| format!("{number} : {mac}"))
        .collect();
    let mut service = format!("ip daddr {}", vip.address);
    if let Some(port) = vip.port {
        let _ = write!(service, " {protocol} dport {port}"); // a string takes all
    }
    Ok(format!(
        "table netdev lvsc {{\n\
         chain director {{\n\
         type filter hook ingress device \"eth0\" priority 0;\n\
         {service} ether saddr set {own} \
         ether daddr set jhash ip saddr . {protocol} sport mod {} seed 0x6c767363 map {{ {} }} \
         fwd to \"eth0\"\n\
         }}\n\
         }}\n",
        macs.len(),
        macs.join(", ")
    ))
}

/// Has the kernel follow the rules at the director's end of a wire.
pub fn apply(wire: &Wire, rules: String) -> Result<(), Failure> {
    let told = wire.director.run(move || tell(&rules)).flatten();
    let output = told.map_err(|error| {
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        Failure::Told {
            what: if is_missing {
                "there is no `nft` here".to_owned()
            } else {
                format!("`nft` cannot be run: {error}")
            },
            remedy: is_missing.then(|| {
                "install nftables (`apt install nftables`, `dnf install nftables`)".to_owned()
            }),
        }
    })?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let first = words.lines().next().unwrap_or_default();
    Err(Failure::Told {
        what: format!("the kernel does not take the rules: {first}"),
        remedy: Some(
            "it needs CONFIG_NF_TABLES_NETDEV, CONFIG_NFT_FWD_NETDEV and CONFIG_NFT_HASH"
                .to_owned(),
        ),
    })
}

fn tell(rules: &str) -> io::Result<Output> {
    let mut nft = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = nft.stdin.take() {
        input.write_all(rules.as_bytes())?;
    }
    nft.wait_with_output()
}
