//! The rates of sound.

use std::ops::RangeInclusive;

/// The rates of sound that are accepted, in Hz: what vibration sensors record, to what studios and detectors of bats
/// do.
pub const RATES: RangeInclusive<u32> = 100..=768_000;
