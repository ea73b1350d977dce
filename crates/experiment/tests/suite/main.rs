//! The tests of runs and of open centres, in one binary.

#[path = "../../../config/tests/doubles/mod.rs"]
mod doubles;

mod difference;
mod elsewhere;
mod first_weights;
mod open;
mod out_of_sight;
mod own_networks;
mod run;
mod worked_elsewhere;
