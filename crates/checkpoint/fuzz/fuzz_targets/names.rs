//! Parses any text as a table of names and applies it to any names. It must not panic, and names must map back.

#![no_main]

use alluvium_checkpoint::NameMap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // The table, then a zero byte, then names on lines.
    let (table, names) = text.split_once('\0').unwrap_or((text, ""));
    let Ok(map) = NameMap::parse(table) else { return };
    let Ok(mapping) = map.apply(names.lines()) else { return };
    for (ours, foreign) in mapping.iter() {
        assert_eq!(mapping.ours(foreign), Some(ours));
    }
});
