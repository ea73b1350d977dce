//! The command line of Alluvium with one more strategy.

use third_party_strategy as _;

fn main() {
    alluvium_cli::main()
}
