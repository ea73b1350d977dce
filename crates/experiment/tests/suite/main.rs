//! The tests of runs and of open centres, in one binary.

#[path = "../../../config/tests/doubles/mod.rs"]
mod doubles;

mod difference;
mod elsewhere;
mod first_weights;
mod open;
mod own_networks;
mod run;
