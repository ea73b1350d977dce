//! Tests of the surrogate on a stream of flat images; the shade identifies the image.

use alluvium_model::{HeadSpec, InputShape};
use alluvium_strategy::conformance::{central, check_surrogate, expert};
use alluvium_stream::{Samples, StreamError, Task, TaskStream, Tasks, options, plugin};
use burn::tensor::Device;
use serde_json::json;

use super::*;

/// A test double: two tasks of three images each, whose shades are 10 to 12 and 20 to 22, plus an offset by the seed.
#[options]
struct ShadesConfig {
    /// The number of channels.
    #[schemars(range(min = 1, max = 9))]
    #[default(1)]
    channels: usize,
    /// The file that the stream reports.
    #[default("shades.gz".into())]
    file: PathBuf,
}

#[plugin(kind = "conformance-shades")]
impl StreamConfig for ShadesConfig {
    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        let more = 100 * u8::from(seed != Seed::new(0).of("surrogate stream"));
        let input = InputShape::from([self.channels, 2, 3]);
        let tasks = (0..2).map(|index| {
            let mut train = Samples::new(input);
            let shade = |number: usize| more + (10 * (index + 1) + number) as u8;
            (0..3).for_each(|number| train.push(&vec![shade(number); input.values()], index));
            let mut test = Samples::new(input);
            test.push(&vec![255; input.values()], index);
            let head = HeadSpec { name: format!("task-{index}"), classes: vec![index] };
            Task { index, name: index.to_string(), head, train, test }
        });
        Ok(Box::new(Tasks::new(input, vec!["a".to_owned(), "b".to_owned()], tasks.collect())?))
    }

    fn files(&self) -> Vec<PathBuf> {
        vec![self.file.clone()]
    }
}

fn config(stream: Value) -> DatasetConfig {
    DatasetConfig { stream: stream.as_object().cloned(), samples: 40, ..Default::default() }
}

fn shades(channels: usize) -> DatasetConfig {
    config(json!({"kind": "conformance-shades", "channels": channels}))
}

/// The bytes of some inputs.
fn draw(source: &mut dyn Surrogate, count: usize, input: [usize; 3], seed: u64) -> Result<Vec<u8>, SurrogateError> {
    let (previous, expert, compute) = (central(&[], 0), expert("a", 1), Device::flex());
    let (seed, input) = (Seed::new(seed), input.into());
    let request = SurrogateRequest { input, compute: &compute, seed, previous: &previous, expert: Some(&expert) };
    let inputs = source.draw(count, &request)?;
    assert_eq!((inputs.len(), inputs.shape()), (count, request.input));
    let values = inputs.vectors().into_data().try_into_vec::<f32>().unwrap();
    assert!(values.iter().all(|value| (-1.0..=1.0).contains(value)));
    Ok(values.iter().map(|value| ((value + 1.0) * 127.5).round() as u8).collect())
}

#[test]
fn inputs_are_the_training_inputs_of_all_tasks() {
    let mut source = shades(1).build(&RunDescription::default()).unwrap();
    assert_eq!(source.samples(), 40);
    // Unchanged; larger; in colour and smaller. A flat image stays flat in every case.
    for input in [[1, 2, 3], [1, 5, 9], [3, 1, 2]] {
        let size = input.iter().product::<usize>();
        let bytes = draw(source.as_mut(), 100, input, 0).unwrap();
        assert!(bytes.chunks(size).all(|image| image.iter().all(|byte| *byte == image[0])));
        let mut drawn: Vec<_> = bytes.chunks(size).map(|image| image[0]).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn, [10, 11, 12, 20, 21, 22], "{input:?}");
    }
}

#[test]
fn colour_becomes_its_luminance() {
    let mut inputs = Samples::new([3, 2, 3].into());
    inputs.push(&[[0; 6], [51; 6], [255; 6]].concat(), 0);
    let mut source = Dataset { samples: 1, inputs };
    // 0.587·51 + 0.114·255 = 59.007
    assert_eq!(draw(&mut source, 1, [1, 2, 3], 0).unwrap(), [59; 6]);
}

#[test]
fn numbers_are_drawn_as_they_are_and_have_the_right_shape() {
    let numbers = (0..12).map(|value| value as f32 * 7.5).collect();
    let mut source = Dataset { samples: 1, inputs: Samples::of_numbers([3].into(), numbers, vec![0; 4]) };
    let (previous, expert, compute) = (central(&[], 0), expert("a", 1), Device::flex());
    let request = |input: InputShape| SurrogateRequest {
        input,
        compute: &compute,
        seed: Seed::new(0),
        previous: &previous,
        expert: Some(&expert),
    };
    let drawn = source.draw(20, &request([3].into())).unwrap().vectors().into_data().try_into_vec::<f32>().unwrap();
    // An input begins with 0, 22.5, 45 or 67.5, and its values are 7.5 apart.
    assert!(drawn.chunks(3).all(|input| input[0] % 22.5 == 0.0 && input[2] - input[0] == 15.0), "{drawn:?}");
    let error = source.draw(1, &request([1, 1, 3].into())).unwrap_err().to_string();
    assert!(error.contains("`stream` has inputs of 3, but the model takes 1×1×3"), "{error}");
}

#[test]
fn conforms() {
    check_surrogate(&shades(1));
}

#[test]
fn a_smaller_draw_begins_alike_and_the_stream_has_a_seed_of_its_own() {
    let first = draw(shades(1).build(&RunDescription::default()).unwrap().as_mut(), 40, [1, 2, 3], 1).unwrap();
    assert_eq!(
        draw(shades(1).build(&RunDescription::default()).unwrap().as_mut(), 7, [1, 2, 3], 1).unwrap(),
        first[..42]
    );
    let mut other = DatasetConfig { stream_seed: 5, ..shades(1) }.build(&RunDescription::default()).unwrap();
    assert!(draw(other.as_mut(), 40, [1, 2, 3], 1).unwrap().iter().all(|byte| *byte >= 110));
}

#[test]
fn other_numbers_of_channels_are_refused_unless_they_agree() {
    let mut source = shades(2).build(&RunDescription::default()).unwrap();
    assert!(draw(source.as_mut(), 3, [2, 2, 3], 0).is_ok());
    let error = draw(source.as_mut(), 3, [1, 2, 3], 0).unwrap_err().to_string();
    assert!(error.contains("`stream` has inputs of 2×2×3, but the model takes 1×2×3"), "{error}");
    // Where the inputs are known, this shows before anything is drawn.
    let run = RunDescription { input: Some([1, 2, 3].into()), ..Default::default() };
    assert_eq!(shades(2).build(&run).unwrap_err().to_string(), error);
}

#[test]
fn a_wrong_stream_says_what_is_accepted() {
    let error = |config: DatasetConfig| config.build(&RunDescription::default()).unwrap_err().to_string();
    let cases = [
        (DatasetConfig::default(), "`stream` names no `kind`; accepted: a table [surrogate.stream]"),
        (config(json!({"kind": 3})), "names no `kind`"),
        (
            config(json!({"kind": "none"})),
            "unknown kind \"none\"; accepted: a table [surrogate.stream] with one of the",
        ),
        (shades(0), "`stream.channels` = 0 is out of range; accepted: an integer at least 1 and at most 9"),
        (config(json!({"kind": "conformance-shades", "shade": 1})), "`stream.shade` is not a key of this table"),
    ];
    for (config, expected) in cases {
        let error = error(config);
        assert!(error.contains(expected), "{error}");
    }
    assert!(error(DatasetConfig::default()).contains("conformance-shades"));
}

#[test]
fn the_files_and_the_kind_are_those_of_the_stream() {
    let config = config(json!({"kind": "conformance-shades", "file": "other.gz"}));
    assert_eq!(config.files(), [PathBuf::from("other.gz")]);
    assert_eq!(config.stream_kinds(), ["conformance-shades"]);
    assert!(DatasetConfig::default().files().is_empty() && DatasetConfig::default().stream_kinds().is_empty());
}

#[test]
fn a_configuration_is_read_and_written() {
    let table = json!({"kind": "dataset", "stream": {"kind": "conformance-shades", "channels": 3}, "samples": 5});
    let read: Box<dyn SurrogateConfig> = serde_json::from_value(table).unwrap();
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(written["stream"], json!({"kind": "conformance-shades", "channels": 3}));
    assert_eq!((&written["samples"], &written["stream_seed"]), (&json!(5), &json!(0)));
}
