//! The table of strategies is true.

use std::process::Command;

#[test]
fn the_table_of_strategies_has_the_lines_of_each() {
    let checked = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["lines", "--check"]).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
