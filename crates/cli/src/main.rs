//! The binary `alluvium`: the command line with the plugins that ship.

fn main() {
    alluvium_cli::main()
}
