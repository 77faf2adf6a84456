//! Interfaces: their addresses where the policy fixes them.

use std::net::IpAddr;

use lvsc_abi::mac::Mac;
use lvsc_abi::manifest::{Interface, Vip};
use lvsc_pipeline::pipeline::{InterfaceId, Kind};

use super::Checker;
use super::constant::Constant;
use super::names::Thing;
use super::once::Said;
use super::pools::word_of;
use crate::diagnostics::Code;
use crate::syntax::ast::{Expr, Item, Name, Prop};

/// Most interfaces: an index is a byte.
const INTERFACES_MAX: usize = 255;
/// What can be said of an interface.
const PROPS: [&str; 3] = ["mac", "ip", "vip"];

impl<'a> Checker<'a> {
    /// The interfaces; one without a name where the policy declares none.
    pub(super) fn interfaces(&mut self, items: &[&'a Item]) {
        for item in items {
            let Item::Interface(item) = item else {
                continue;
            };
            let mut interface = Interface {
                name: item.name.text.clone(),
                ..Interface::default()
            };
            let mut said = Said::new();
            for (name, values) in item.props.iter().flat_map(properties) {
                if name.text != "vip" {
                    self.property_once(&mut said, &name.text, name.span);
                }
                let _ = self.interface_prop(name, values, &mut interface);
            }
            let interfaces = &mut self.policy.manifest.interfaces;
            if interfaces.len() == INTERFACES_MAX {
                let message = format!("more than {INTERFACES_MAX} interfaces");
                let _: Option<()> = self.error(Code::BadValue, message, item.span);
                return;
            }
            let id = InterfaceId(interfaces.len() as u16);
            interfaces.push(interface);
            self.names.set(&item.name.text, Thing::Interface(id));
        }
        if self.policy.manifest.interfaces.is_empty() {
            let name = "ingress".to_owned(); // what a policy without interfaces calls it
            self.policy.manifest.interfaces.push(Interface {
                name,
                ..Interface::default()
            });
        }
    }

    fn interface_prop(
        &mut self,
        name: &Name,
        values: &'a [Expr],
        interface: &mut Interface,
    ) -> Option<()> {
        if !PROPS.contains(&name.text.as_str()) {
            let known = PROPS.map(str::to_owned);
            let message = format!("an interface has no property `{}`", name.text);
            return self.unknown(name, Code::UnknownProperty, &message, &known);
        }
        let [value] = values else {
            return self.bad_value(&format!("`{}` takes one value", name.text), name.span);
        };
        match name.text.as_str() {
            "mac" => {
                let Constant::One(Kind::Mac, bits) = self.constant(value)? else {
                    return self.bad_value("`mac` is a MAC address: 02:00:00:00:00:01", value.span);
                };
                interface.mac = Some(self.unicast(Mac::from_bits(bits as u64), value.span)?);
            }
            "ip" => interface.ip = Some(self.address(value)?),
            _ => {
                let address = self.address(value)?;
                let prefix = if address.is_ipv4() { 32 } else { 128 };
                self.policy.manifest.vips.push(Vip {
                    address,
                    prefix,
                    port: None,
                });
            }
        }
        Some(())
    }

    fn address(&mut self, expr: &'a Expr) -> Option<IpAddr> {
        match self.constant(expr)? {
            Constant::One(Kind::Ip4, bits) => Some(IpAddr::V4((bits as u32).into())),
            Constant::One(Kind::Ip6, bits) => Some(IpAddr::V6(bits.into())),
            _ => self.bad_value("an address is needed", expr.span),
        }
    }
}

/// The properties of a line, each with its values: `mac 02:00:00:00:00:01 ip 192.0.2.1` are two.
fn properties(line: &Prop) -> Vec<(&Name, &[Expr])> {
    let begins =
        |value: &Expr| word_of(value).is_some_and(|name| PROPS.contains(&name.text.as_str()));
    let (mut name, mut values) = (&line.name, line.values.as_slice());
    let mut found = Vec::new();
    while let Some(at) = values.iter().position(begins) {
        let (own, rest) = values.split_at(at);
        found.push((name, own));
        let Some((next, rest)) = rest.split_first() else {
            break;
        };
        (name, values) = (word_of(next).unwrap_or(name), rest);
    }
    found.push((name, values));
    found
}
