#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;

/// Every instruction and every end, with places.
const EVERYTHING: &str = "\
section ring.web slot 128
section flows.web-1 flow 64
section counters counter 8
section cursor.web cursor 1

b0:
  v0 = const 42
  v1 = const 0x9e3779b97f4a7c15 ; 3:5
  v2 = frame.length
  v3 = ingress
  v4 = worker ; 1:7:9
  v5 = add v0, v1
  v6 = sub v0, v1
  v7 = mul v0, v1
  v8 = and v0, v1
  v9 = or v0, v1
  v10 = xor v0, v1
  v11 = shl v0, v1
  v12 = shr v0, v1
  v13 = div v0, v1
  v14 = rem v0, v1
  v15 = eq v0, v1
  v16 = ne v0, v1
  v17 = lt v0, v1
  v18 = le v0, v1
  v19 = select v0, v1, v2
  v20 = swap.6 v0
  bounds +34 b1() else b4() ; 4:1

b1:
  v21 = frame.be4 +30
  bounds v21+8 b2(v0, v1) else b3()

b2(v22, v23):
  v24 = frame.le3 v21+5
  frame.be6 +0 = v24
  frame.le2 v21+0 = v22 ; 9:3
  v25 = load.config4 ring.web[v24]+0
  v26 = load.shared2 ring.web[v24]+2
  store8 cursor.web[v24]+8 = v26
  v27 = exchange flows.web-1[v24] = v25 if v26
  v28 = find flows.web-1[v24], v25
  v29 = place flows.web-1[v24], v25, v26, v25
  count counters[v29]
  if v29 b3() else b4()

b3:
  jump b5(v21)

b4:
  return pass

b5(v30):
  return send v30
";

#[test]
fn what_is_printed_is_what_was_read() {
    let source = parse(EVERYTHING).unwrap();
    let Source { program, layout } = &source;
    assert_eq!(print_with_places(program, layout), EVERYTHING);
    let bare = print(program, layout);
    assert!(!bare.contains(';'));
    assert_eq!(print(&parse(&bare).unwrap().program, layout), bare);
    assert_eq!(parse(&print_with_places(program, layout)).unwrap(), source);
}

#[test]
fn blank_lines_and_comments_are_skipped() {
    let source =
        parse("; run: wasm\n\nb0: ; here\n\n  ; nothing\n  return drop ; no place\n").unwrap();
    assert_eq!(
        print_with_places(&source.program, &source.layout),
        "b0:\n  return drop\n"
    );
}

#[track_caller]
fn refused(text: &str, message: &str) {
    assert_eq!(parse(text).unwrap_err().to_string(), message);
}

#[test]
fn errors_name_line_and_column() {
    refused("b0:\n  v1 = nonsense\n", "2:8: expected an instruction");
    refused("b0:\n  v1 = add v2 v3\n", "2:15: expected `,`");
    refused("b0:\n  v1 add\n", "2:6: expected `=`");
    refused(
        "b0:\n  v1 = swap.9 v0\n",
        "2:13: the number of bytes is too large",
    );
    refused(
        "b0:\n  v1 = frame.be4 +70000\n",
        "2:19: the number of bytes is too large",
    );
    refused(
        "b0:\n  v1048576 = ingress\n",
        "2:4: the value's number is too large",
    );
    refused("b0:\n  v1 = const 0xz\n", "2:14: expected the constant");
    refused(
        "b0:\n  count counters[v1]\n",
        "2:9: there is no section `counters`",
    );
    refused("section a what 3\n", "1:11: expected what the elements are");
    refused(
        "section a slot 4294967296\n",
        "1:16: the length is too large",
    );
    refused("b1:\n", "1:1: expected block b0");
    refused("b0:\nb1:\n", "2:1: block b0 has no end");
    refused("b0:\n  v1 = ingress", "3:1: block b0 has no end");
    refused(
        "  v1 = ingress\n",
        "1:3: an instruction before the first block",
    );
    refused(
        "b0:\n  return drop v1 v2\n",
        "2:18: expected the end of the line",
    );
    refused(
        "b0:\n  return throw\n",
        "2:9: expected `drop`, `send` or `pass`",
    );
    refused("b0:\n  jump b0\n", "2:10: expected `(`");
}
