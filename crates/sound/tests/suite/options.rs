//! The options of spectrograms: what they make, and what is refused.

use alluvium_sound::{DECIBELS_PER_UNIT, FrontEnd, Recording, SpectrogramOptions};

fn refusal(change: impl FnOnce(&mut SpectrogramOptions)) -> String {
    let mut options = SpectrogramOptions::default();
    change(&mut options);
    options.front_end(8000).expect_err("it should be refused").to_string()
}

#[test]
fn the_defaults_make_32_bands_of_51_frames() {
    let front_end = SpectrogramOptions::default().front_end(8000).unwrap();
    // A second, of which a window is centred at 0, 20, … and 1000 ms.
    assert_eq!((front_end.bands(), front_end.frames()), (32, 51));
    assert_eq!((front_end.rate(), front_end.seconds()), (8000, 1.0));
    fn shared<T: Clone + Send + Sync + std::fmt::Debug>(_: &T) {}
    shared::<FrontEnd>(&front_end);
    assert!(format!("{front_end:?}").contains("rate: 8000"));
    assert_eq!(front_end.decibels(&[0.0; 161]).len(), 2 * 32);
    assert_eq!(front_end.decibels(&[]), [-80.0; 32]);
}

#[test]
fn features_are_of_one_length_and_loudness() {
    let front_end = SpectrogramOptions::default().front_end(8000).unwrap();
    let tone = |amplitude: f32, rate: u32, count: u16| {
        let sample = |index: u16| amplitude * (f32::from(index) * 700.0 * std::f32::consts::TAU / rate as f32).sin();
        Recording { rate, samples: (0..count).map(sample).collect() }
    };
    let features = |recording| front_end.features(recording).unwrap();
    let full = features(tone(0.5, 8000, 8000));
    assert_eq!(full.len(), 32 * 51);
    // Loudness is the same whatever the amplitude.
    let quiet = features(tone(0.01, 8000, 8000));
    assert!(full.iter().zip(&quiet).all(|(full, quiet)| (full - quiet).abs() < 1e-3));
    // Shorter: silence on both sides, which is -80 dB, so 1 - 80/40 = -1. Longer: the beginning.
    let short = features(tone(0.5, 8000, 2000));
    assert!((0..32).all(|band| short[band * 51] == -1.0 && short[band * 51 + 50] == -1.0));
    assert!((0..32).any(|band| short[band * 51 + 25] > 0.5));
    assert_eq!(features(tone(0.5, 8000, 16_000)).len(), 32 * 51);
    assert_eq!(features(tone(0.5, 44_100, 44_100)).len(), 32 * 51);
    assert_eq!(features(Recording { rate: 8000, samples: vec![] }), [-1.0; 32 * 51]);
    assert!(front_end.features(Recording { rate: 0, samples: vec![0.5] }).is_err());

    // Without loudness, the values are 1 + dB / 40 of the samples as they are, and at most 1.
    let plain = SpectrogramOptions { normalise_loudness: false, ..Default::default() }.front_end(8000).unwrap();
    let recording = tone(0.5, 8000, 8000);
    let decibels = plain.decibels(&recording.samples);
    let scaled: Vec<_> = decibels.iter().map(|decibels| (1.0 + decibels / DECIBELS_PER_UNIT).min(1.0)).collect();
    assert!(decibels.iter().any(|decibels| *decibels > 0.0));
    assert_eq!(plain.features(recording).unwrap(), scaled);
}

#[test]
fn an_option_out_of_range_is_named() {
    let error = refusal(|options| options.seconds = 0.0);
    assert_eq!(error, "`seconds` is 0; accepted: 0.05 to 60 seconds");
    assert!(refusal(|options| options.window = f64::NAN).starts_with("`window` is NaN; accepted: 1 to 1000 milli"));
    assert!(refusal(|options| options.hop = 0.5).starts_with("`hop` is 0.5; accepted: 1 to 1000 milliseconds"));
    assert!(refusal(|options| options.floor = 1.0).starts_with("`floor` is 1; accepted: -200 to 0 decibels"));
    assert!(refusal(|options| options.loudness = 3.0).starts_with("`loudness` is 3; accepted: -100 to 0 decibels"));
    assert_eq!(refusal(|options| options.bands = 3), "`bands` is 3; accepted: 4 to 256");
    let error = refusal(|options| options.highest = Some(4001.0));
    assert_eq!(error, "`highest` is 4001 Hz; accepted: up to 4000 Hz, half of the rate of 8000 Hz");
    let error = refusal(|options| options.lowest = 4000.0);
    assert_eq!(error, "`lowest` is 4000 Hz; accepted: 0 to less than the highest frequency, 4000 Hz");
    let error = SpectrogramOptions { hop: 10.0, ..Default::default() }.front_end(100).unwrap_err().to_string();
    assert_eq!(error, "`hop` is 10 ms, which is less than 2 samples at 100 Hz; accepted: at least 20 milliseconds");
    assert!(SpectrogramOptions::default().front_end(0).is_err());
}

#[test]
fn more_bands_than_the_window_resolves_are_refused_with_the_most_that_fit() {
    let error = refusal(|options| options.bands = 256);
    assert!(error.starts_with("`bands` is 256, which is more than a window of 32 ms resolves between 20 and 4000 Hz"));
    // The message names a number that is accepted, while one more is not.
    let most: usize = error.split("accepted: ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let with = |bands| SpectrogramOptions { bands, ..Default::default() }.front_end(8000);
    assert!(with(most).is_ok() && with(most + 1).is_err(), "{error}");
}
