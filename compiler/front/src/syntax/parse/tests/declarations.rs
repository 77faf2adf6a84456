use super::*;

#[test]
fn use_takes_a_name_or_a_file() {
    let Item::Use(item) = super::item("use nat") else {
        panic!()
    };
    assert!(matches!(item.what, UseWhat::Name(name) if name.text == "nat"));
    let Item::Use(item) = super::item("use \"lib/own.lvs\"") else {
        panic!()
    };
    assert!(matches!(item.what, UseWhat::File(text) if text.value == "lib/own.lvs"));
}

#[test]
fn a_constant_has_a_value() {
    let Item::Const(item) = item("const VIP =\n  192.168.46.200") else {
        panic!()
    };
    assert_eq!(
        (item.name.text.as_str(), show(&item.value)),
        ("VIP", "192.168.46.200".to_owned())
    );
}

#[test]
fn an_interface_may_have_properties() {
    let Item::Interface(plain) = item("interface wan") else {
        panic!()
    };
    assert!(plain.props.is_empty());
    let [fault] = &faults("interface lan { vip 192.0.2.10, 192.0.2.11 }")[..] else {
        panic!()
    };
    assert!(fault.ends_with("found `,`"), "{fault}");
}

#[test]
fn properties_have_literals_paths_and_sets() {
    let text = "interface lan { vip { 192.0.2.10 }; ip 192.0.2.1\n  via a.b 3 }";
    let Item::Interface(item) = item(text) else {
        panic!()
    };
    assert_eq!(
        show_props(&item.props),
        ["vip: {192.0.2.10}", "ip: 192.0.2.1", "via: a.b, 3"]
    );
}

#[test]
fn a_pool_has_a_scheduler_backends_and_properties() {
    let text = "pool web {\n  scheduler maglev by flow, ip.src\n\
        backend 192.0.2.1 weight 2 mac 02:00:00:00:00:01 via wan id 7\n\
        backend rs2 192.0.2.2:8080 drain backup limit 1000 reopen 800\n\
        flows 1M idle 15m\n  check tcp 80 every 2s fall 3 rise 2\n}";
    let Item::Pool(pool) = item(text) else {
        panic!()
    };
    let [
        PoolLine::Scheduler(scheduler),
        PoolLine::Backend(one),
        PoolLine::Backend(two),
        PoolLine::Prop(flows),
        PoolLine::Prop(check),
    ] = &pool.lines[..]
    else {
        panic!()
    };
    assert_eq!(
        (scheduler.name.text.as_str(), show_all(&scheduler.by)),
        ("maglev", "flow, ip.src".into())
    );
    assert_eq!(
        (&one.name, show_lit(&one.address)),
        (&None, "192.0.2.1".to_owned())
    );
    let options = |backend: &Backend| {
        let show_option = |option: &BackendOption| {
            let value = option
                .value
                .as_ref()
                .map_or(String::new(), |value| format!(" {}", show(value)));
            format!("{}{value}", option.name.text)
        };
        backend.options.iter().map(show_option).collect::<Vec<_>>()
    };
    assert_eq!(
        options(one),
        ["weight 2", "mac Mac([2, 0, 0, 0, 0, 1])", "via wan", "id 7"]
    );
    assert_eq!(two.name.as_ref().unwrap().text, "rs2");
    assert_eq!(
        options(two),
        ["drain", "backup", "limit 1000", "reopen 800"]
    );
    assert_eq!(flows.values.len(), 3);
    assert_eq!(check.values.len(), 8);
}

#[test]
fn a_set_has_members_files_and_a_capacity() {
    let text =
        "set blocked : net {\n  file \"a.txt\"; capacity 64K\n  10.0.0.0/8,\n  FILE, capacity\n}";
    let Item::Set(set) = item(text) else { panic!() };
    assert_eq!(set.ty.name.text, "net");
    let [
        SetEntry::File(file),
        SetEntry::Capacity(capacity),
        SetEntry::Member(_),
        SetEntry::Member(name),
        SetEntry::Member(word),
    ] = &set.entries[..]
    else {
        panic!("{:?}", set.entries)
    };
    assert_eq!(
        (file.value.as_str(), show_lit(capacity)),
        ("a.txt", "65536".to_owned())
    );
    assert_eq!(
        (show(name), show(word)),
        ("FILE".to_owned(), "capacity".to_owned())
    );
}

#[test]
fn a_table_has_keys_values_entries_and_properties() {
    let text = "table routes {\n  key ip.dst lpm, vlan.vid\n  value hop: neighbour, mark: u8\n\
        entries {\n    10.0.0.0/8, _ -> A, 1\n    (1, 2) -> B, 2\n  }\n  capacity 1K\n}";
    let Item::Table(table) = item(text) else {
        panic!()
    };
    let [
        TableLine::Key(keys),
        TableLine::Value(values),
        TableLine::Entries(entries),
        TableLine::Prop(prop),
    ] = &table.lines[..]
    else {
        panic!()
    };
    assert_eq!(keys[0].kind.unwrap().0, MatchKind::Lpm);
    assert_eq!(
        (show(&keys[1].value), keys[1].kind),
        ("vlan.vid".to_owned(), None)
    );
    assert_eq!(values[1].ty.name.text, "u8");
    assert_eq!(
        (entries[0].patterns.len(), show_all(&entries[0].values)),
        (2, "A, 1".to_owned())
    );
    assert_eq!(prop.name.text, "capacity");
    let kinds = "table t { key a exact, b ternary, c range }";
    let Item::Table(table) = super::item(kinds) else {
        panic!()
    };
    let TableLine::Key(keys) = &table.lines[0] else {
        panic!()
    };
    let kinds: Vec<_> = keys
        .iter()
        .filter_map(|key| key.kind)
        .map(|(kind, _)| kind)
        .collect();
    assert_eq!(
        kinds,
        [MatchKind::Exact, MatchKind::Ternary, MatchKind::Range]
    );
}

#[test]
fn meters_and_targets_have_properties() {
    let text = "meter m { key ip.src; rate 200/s; burst 400; capacity 64K }";
    let Item::Meter(meter) = item(text) else {
        panic!()
    };
    assert_eq!(show_props(&meter.props)[0], "key: ip.src");
    assert_eq!(meter.props.len(), 4);
    let Item::Target(target) = item("target xdp {\n  mode native\n}") else {
        panic!()
    };
    assert_eq!(
        (target.name.text.as_str(), show_props(&target.props)),
        ("xdp", vec!["mode: native".into()])
    );
}

#[test]
fn a_counter_may_have_cells() {
    let Item::Counter(plain) = item("counter hits") else {
        panic!()
    };
    assert!(plain.by.is_empty() && plain.capacity.is_none());
    let Item::Counter(counter) = item("counter hits by ip.src, ip.dst capacity 1K") else {
        panic!()
    };
    assert_eq!(show_all(&counter.by), "ip.src, ip.dst");
    assert_eq!(show_lit(&counter.capacity.unwrap()), "1024");
}

#[test]
fn a_header_has_edges_and_lines() {
    let text = "header vlan after eth, vlan when type in { 0x8100, 0x88a8 } max 2 {\n\
        size: u8; when: u4\n  size size * 4\n  valid vid != 0\n  checksum internet\n  let x: u1 = vid == 1\n}";
    let Item::Header(header) = item(text) else {
        panic!()
    };
    assert_eq!(texts(&header.after), ["eth", "vlan"]);
    assert_eq!(
        show(header.when.as_ref().unwrap()),
        "(type in {33024, 34984})"
    );
    assert_eq!(show_lit(header.max.as_ref().unwrap()), "2");
    let [
        HeaderLine::Field(size),
        HeaderLine::Field(when),
        HeaderLine::Size(bytes),
        HeaderLine::Valid(_),
        HeaderLine::Checksum(rule),
        HeaderLine::Let(x),
    ] = &header.lines[..]
    else {
        panic!("{:?}", header.lines)
    };
    assert_eq!(
        (size.name.text.as_str(), when.name.text.as_str()),
        ("size", "when")
    );
    assert_eq!(show(bytes), "(size * 4)");
    assert_eq!(
        (rule.text.as_str(), x.name.text.as_str()),
        ("internet", "x")
    );
    let Item::Header(first) = super::item("header eth { dst: mac }") else {
        panic!()
    };
    assert!(first.after.is_empty() && first.when.is_none() && first.max.is_none());
}

#[test]
fn a_group_has_members() {
    let Item::Group(group) = item("group l4 = tcp | udp |\n  sctp") else {
        panic!()
    };
    assert_eq!(texts(&group.members), ["tcp", "udp", "sctp"]);
}

#[test]
fn a_function_is_a_value_or_steps_and_a_value() {
    let Item::Fn(short) = item("fn low(a: u32, b: u8) -> u8 = a & b") else {
        panic!()
    };
    assert_eq!(
        (short.params.len(), short.lets.len(), show(&short.value)),
        (2, 0, "(a & b)".into())
    );
    for text in [
        "fn f() -> u8 {\n  let a = 1\n  let b: u8 = a\n\n  a + b\n}",
        "fn f() -> u8 { let a = 1; let b = 2; a + b }",
    ] {
        let Item::Fn(long) = item(text) else { panic!() };
        assert_eq!(
            (long.params.len(), long.lets.len(), show(&long.value)),
            (0, 2, "(a + b)".into())
        );
    }
}

#[test]
fn an_action_is_a_block_with_parameters() {
    let Item::Action(action) =
        item("action dr(b: backend) {\n  eth.dst = b.mac\n  send b.interface\n}")
    else {
        panic!()
    };
    assert_eq!(
        (
            action.params[0].ty.name.text.as_str(),
            action.block.stmts.len()
        ),
        ("backend", 2)
    );
}
