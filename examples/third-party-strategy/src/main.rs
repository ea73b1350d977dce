//! The command line of Alluvium with one strategy more.

use third_party_strategy as _;

fn main() {
    alluvium_cli::main()
}
