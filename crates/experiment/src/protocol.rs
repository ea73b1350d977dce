//! The protocol in action: who meets whom, in what order, and (`boundary`) what is counted and refused when models cross.

mod boundary;
mod breach;
mod schedule;
mod visit_seed;

pub(crate) use boundary::{Boundary, GrantedAccess, HandedOutModel, IncomingExperts};
pub use breach::Breach;
pub(crate) use schedule::{ScheduleEvent, schedule};
pub(crate) use visit_seed::Visit;
