//! The tests of the backbone from outside: conformance.

mod conformance;
