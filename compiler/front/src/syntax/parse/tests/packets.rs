use super::*;

fn lines(text: &str) -> Vec<TestLineKind> {
    match item(&format!("test \"t\" {{\n{text}\n}}")) {
        Item::Test(test) => test.lines.into_iter().map(|line| line.kind).collect(),
        item => panic!("{item:?}"),
    }
}

/// A layer as it would be written.
fn show_layer(layer: &Layer) -> String {
    match &layer.kind {
        LayerKind::Payload(lit) => show_lit(lit),
        LayerKind::Header { name, ends, args } => {
            let ends = ends
                .iter()
                .map(|ends| format!("{} -> {}", show(&ends.0), show(&ends.1)));
            let args = args.iter().map(|arg| match arg {
                LayerArg::Field(name, value) => format!("{}={}", name.text, show(value)),
                LayerArg::Word(word) => word.text.clone(),
                LayerArg::Value(lit) => show_lit(lit),
            });
            let words: Vec<_> = std::iter::once(name.text.clone())
                .chain(ends)
                .chain(args)
                .collect();
            words.join(" ")
        }
    }
}

fn layers(text: &str) -> Vec<String> {
    let (layers, diagnostics) = parse_packet(FileId(0), text);
    assert_eq!(diagnostics, [], "{text}");
    layers.iter().map(show_layer).collect()
}

#[test]
fn a_packet_is_a_sentence() {
    let text = "eth / ip 192.0.2.1 -> VIP ttl=3 / tcp 40000 -> 80 S psh=x.y / hex\"0001\"";
    assert_eq!(
        layers(text),
        [
            "eth",
            "ip 192.0.2.1 -> VIP ttl=3",
            "tcp 40000 -> 80 S psh=x.y",
            "Hex([0, 1])"
        ]
    );
    let text = "eth 02:00:00:00:00:01 -> b.mac / vlan vid=5 / icmp type=3 code=4 / payload 100\n";
    assert_eq!(
        layers(text),
        [
            "eth Mac([2, 0, 0, 0, 0, 1]) -> b.mac",
            "vlan vid=5",
            "icmp type=3 code=4",
            "payload 100"
        ]
    );
    assert_eq!(
        layers("eth / ip a->b/tcp S A"),
        ["eth", "ip a -> b", "tcp S A"]
    );
}

#[test]
fn a_broken_packet_has_no_layers_and_says_why() {
    for (text, message) in [
        (
            "",
            "expected a name or a literal, found the end of the file",
        ),
        (
            "eth / ",
            "expected a name or a literal, found the end of the file",
        ),
        (
            "eth / ip 192.0.2.1 ->",
            "expected an expression, found the end of the file",
        ),
        ("eth\nip", "a packet is one line"),
    ] {
        let (_, diagnostics) = parse_packet(FileId(0), text);
        let messages: Vec<_> = diagnostics.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(messages, [message], "{text}");
    }
    let (layers, _) = parse_packet(FileId(0), "eth / ip 192.0.2.1 ->");
    assert_eq!(layers, []);
}

#[test]
fn a_test_sends_and_expects() {
    let lines = lines(
        "send eth / ip a -> b / tcp 1 -> 2 S on lan\nexpect send ingress { eth.dst in web.macs, ip unchanged }\n\
         expect drop closed\nexpect drop\nexpect pass {\n  a == 1,\n  b\n}\nexpect same backend",
    );
    let TestLineKind::Send(packet) = &lines[0] else {
        panic!()
    };
    assert_eq!(
        (
            packet.layers.len(),
            packet.on.as_ref().unwrap().text.as_str()
        ),
        (3, "lan")
    );
    let TestLineKind::Expect(Expectation {
        verdict: Verdict::Send(send),
        conditions,
    }) = &lines[1]
    else {
        panic!()
    };
    assert_eq!(show_path(&send.to), "ingress");
    assert!(
        matches!(&conditions[0], Condition::Holds(expr) if show(expr) == "(eth.dst in web.macs)")
    );
    assert!(matches!(&conditions[1], Condition::Unchanged(expr) if show(expr) == "ip"));
    let reasons: Vec<_> = lines[2..4]
        .iter()
        .map(|line| match line {
            TestLineKind::Expect(Expectation {
                verdict: Verdict::Drop(drop),
                ..
            }) => drop.reason.as_ref().map(|name| name.text.as_str()),
            line => panic!("{line:?}"),
        })
        .collect();
    assert_eq!(reasons, [Some("closed"), None]);
    let TestLineKind::Expect(pass) = &lines[4] else {
        panic!()
    };
    assert_eq!((&pass.verdict, pass.conditions.len()), (&Verdict::Pass, 2));
    assert_eq!(lines[5], TestLineKind::SameBackend);
}

#[test]
fn a_test_changes_the_world() {
    let lines = lines(
        "add blocked 10.0.0.0/8, 192.0.2.1\nadd routes (a, b) -> c, 1\nbackend web.rs1 down\n\
         advance 15m\nreplay \"a.pcap\"",
    );
    let TestLineKind::Add { to, key, values } = &lines[0] else {
        panic!()
    };
    assert_eq!(
        (show_path(to).as_str(), key.len(), values.len()),
        ("blocked", 2, 0)
    );
    let TestLineKind::Add { key, values, .. } = &lines[1] else {
        panic!()
    };
    assert_eq!(
        (show_all(key), show_all(values)),
        ("(a, b)".to_owned(), "c, 1".to_owned())
    );
    let TestLineKind::Backend { backend, state } = &lines[2] else {
        panic!()
    };
    assert_eq!(
        (show_path(backend).as_str(), state.text.as_str()),
        ("web.rs1", "down")
    );
    assert!(matches!(&lines[3], TestLineKind::Advance(_)));
    assert!(matches!(&lines[4], TestLineKind::Replay(text) if text.value == "a.pcap"));
}
