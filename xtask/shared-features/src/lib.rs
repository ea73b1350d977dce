//! The features that the tests of the workspace give to dependencies, for builds beside it in the same target folder.
//!
//! Cargo compiles a crate again for every set of features. The third-party examples, which are builds of their own, depend on this crate, so
//! that they use what the workspace's tests have compiled. It holds no code. A test of `xtask` says which feature differs when a
//! dependency is added. The feature `shared-features` of the Python crate does the same for `cargo xtask wheel --dev`.
