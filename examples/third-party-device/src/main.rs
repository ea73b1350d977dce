//! The command line of Alluvium with one more kind of devices.

use third_party_device as _;

fn main() {
    alluvium_cli::main()
}
