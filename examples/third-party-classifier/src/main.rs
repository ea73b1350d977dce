//! Alluvium's command line, with this crate's classifier among its classifiers.

// Links the classifier. Without this line the crate would be compiled, but not linked.
use third_party_classifier as _;

fn main() {
    alluvium_cli::main()
}
