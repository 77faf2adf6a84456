//! Modules that lvsc would not make: each is refused, or does no harm.

use super::*;

fn error(bytes: &[u8]) -> LoadError {
    match WasmEngine::load(bytes) {
        Err(error) => error,
        Ok(_) => panic!("the module was taken"),
    }
}

#[test]
fn a_module_of_another_version_is_refused() {
    let found = error(
        &Recipe {
            version: 99,
            ..Recipe::new()
        }
        .build(),
    );
    assert!(matches!(found, LoadError::Version { found: 99 }), "{found}");
}

#[test]
fn a_module_that_imports_is_refused() {
    let fields = "(import \"host\" \"log\" (func))";
    let found = error(
        &Recipe {
            fields,
            ..Recipe::new()
        }
        .build(),
    );
    assert!(found.to_string().contains("imports `host.log`"), "{found}");
}

#[test]
fn a_module_that_writes_before_its_first_batch_is_refused() {
    for (section, fields) in [
        ("data", "(data (i32.const 65536) \"x\")"),
        ("data", "(data \"x\")"),
        ("start", "(func $f) (start $f)"),
    ] {
        let recipe = Recipe {
            fields,
            ..Recipe::new()
        };
        let found = error(&recipe.build());
        assert!(
            found.to_string().contains(&format!("section `{section}")),
            "{found}"
        );
    }
}

#[test]
fn a_second_memory_is_refused() {
    let recipe = Recipe {
        fields: "(memory $other 1 1)",
        ..Recipe::new()
    };
    let found = error(&recipe.build());
    assert!(matches!(found, LoadError::Refused(_)), "{found}");
}

#[test]
fn a_module_that_fills_the_first_page_harms_nobody() {
    let early = "(memory.fill (i32.const 0) (i32.const 7) (i32.const 65536))";
    let recipe = Recipe {
        early,
        ..Recipe::new()
    };
    let mut engine = *loaded(&recipe);
    assert_eq!(decide(&mut engine, &[1]), (vec![Verdict::Send], Ok(())));
}

#[test]
fn a_memory_that_is_not_the_one_of_the_map_is_refused() {
    let pages = Recipe::new().pages + 1;
    let found = error(
        &Recipe {
            pages,
            ..Recipe::new()
        }
        .build(),
    );
    assert!(matches!(found, LoadError::Refused(_)), "{found}");
}

#[test]
fn a_module_without_its_exports_is_refused() {
    let whole = Recipe::new().build();
    for (name, other) in [
        ("memory", "memorx"),
        ("batch", "batcx"),
        ("version", "versiox"),
    ] {
        let at = whole
            .windows(name.len())
            .position(|part| part == name.as_bytes())
            .unwrap();
        let mut module = whole.clone();
        module[at..at + name.len()].copy_from_slice(other.as_bytes());
        let found = error(&module);
        let missing = matches!(found, LoadError::Export { name: missing, .. } if missing == name);
        assert!(missing, "{found}");
    }
}

#[test]
fn a_damaged_module_is_an_error_and_no_more() {
    let whole = Recipe::new().build();
    let code = whole
        .windows(11)
        .position(|part| part == b"lvsc.memory")
        .unwrap();
    for at in (8..code).step_by(3) {
        let mut module = whole.clone();
        module[at] ^= 0x55;
        if let Err(error) = WasmEngine::load(&module) {
            assert!(!error.to_string().is_empty());
        }
    }
    for length in (0..whole.len()).step_by(11) {
        assert!(
            WasmEngine::load(&whole[..length]).is_err(),
            "{length} bytes"
        );
    }
}
