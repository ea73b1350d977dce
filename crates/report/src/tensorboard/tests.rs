//! The event files, read by an independent reader.
//!
//! TensorBoard 2.21.0 itself (`EventAccumulator`, Python 3.11) was given the files of the run in `tests/sample` once, by
//! hand: it lists the tags, and reads steps, wall times and values as they were written.

use super::*;
use crate::example;

/// CRC-32C bit by bit, from the definition: reflected polynomial 0x82F63B78.
fn crc32c_by_bits(data: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

/// The records of a TFRecord file; panics at a wrong checksum.
fn records(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (head, tail) = bytes.split_at(count);
        *bytes = tail;
        head
    }
    fn check(data: &[u8], found: &[u8]) {
        // ((crc >> 15) | (crc << 17)) + 0xa282ead8, from TensorFlow's `core/lib/hash/crc32c.h`.
        let crc = crc32c_by_bits(data);
        let masked = crc.rotate_left(17).wrapping_add(0xa282_ead8);
        assert_eq!(masked.to_le_bytes(), found);
    }
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let length = take(&mut bytes, 8).to_owned();
        check(&length, take(&mut bytes, 4));
        let data = take(&mut bytes, u64::from_le_bytes(length.try_into().expect("8 bytes")) as usize).to_owned();
        check(&data, take(&mut bytes, 4));
        records.push(data);
    }
    records
}

/// The fields of a protocol buffer: number, and bytes of its value; a varint as its eight bytes.
fn fields(mut data: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(data: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = data[0];
            *data = &data[1..];
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return value;
            }
        }
    }
    let mut fields = Vec::new();
    while !data.is_empty() {
        let key = varint(&mut data);
        let length = match key & 7 {
            0 => {
                fields.push((key >> 3, varint(&mut data).to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            2 => varint(&mut data) as usize,
            5 => 4,
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, data[..length].to_vec()));
        data = &data[length..];
    }
    fields
}

fn field(data: &[u8], number: u64) -> Option<Vec<u8>> {
    fields(data).into_iter().find(|(found, _)| *found == number).map(|(_, value)| value)
}

/// (step, wall time, tag, value) of every scalar.
fn scalars(file: &[u8]) -> Vec<(u64, f64, String, f32)> {
    let mut scalars = Vec::new();
    for record in &records(file)[1..] {
        let wall_time = f64::from_le_bytes(field(record, 1).expect("a time").try_into().expect("8 bytes"));
        let step = u64::from_le_bytes(field(record, 2).expect("a step").try_into().expect("8 bytes"));
        for (_, value) in fields(&field(record, 5).expect("a summary")) {
            let tag = String::from_utf8(field(&value, 1).expect("a tag")).expect("is text");
            let number = f32::from_le_bytes(field(&value, 2).expect("a value").try_into().expect("4 bytes"));
            scalars.push((step, wall_time, tag, number));
        }
    }
    scalars
}

#[test]
fn the_checksum_is_that_of_rfc_3720() {
    // Its appendix B.4: 32 bytes of 0, of ones, ascending, descending.
    let vectors: [(Vec<u8>, u32); 4] = [
        (vec![0; 32], 0x8a91_36aa),
        (vec![0xff; 32], 0x62a8_ab43),
        ((0..32).collect(), 0x46dd_794e),
        ((0..32).rev().collect(), 0x113f_db5c),
    ];
    for (data, expected) in vectors {
        assert_eq!(crc32c::crc32c(&data), expected);
        assert_eq!(crc32c_by_bits(&data), expected);
    }
}

#[test]
fn the_first_record_is_the_one_that_every_event_file_starts_with() {
    // Field 3 of 13 bytes, so 15 bytes with its key and length; time and step are 0, which is left out.
    let (_, file) = event_files(&example::results()).swap_remove(0);
    assert_eq!(records(&file)[0], b"\x1a\x0dbrain.Event:2");
    assert_eq!(file[..8], 15_u64.to_le_bytes());
}

#[test]
fn a_file_for_each_row_and_seed() {
    let mut results = example::results();
    results.rows[1].name = "../pld".into();
    let paths: Vec<String> =
        event_files(&results).iter().map(|(path, _)| path.to_string_lossy().replace('\\', "/")).collect();
    assert_eq!(paths.len(), 12);
    assert_eq!(paths[0], "naive/seed-1/events.out.tfevents.0.alluvium");
    assert_eq!(paths[3], "pld/seed-1/events.out.tfevents.0.alluvium");
}

#[test]
fn the_events_of_a_stream() {
    // pld under seed 1, worked out by hand in `example.rs`: R = [1; 0.5, 0.7], agnostic [1; 0.25, 0.75].
    let (_, file) = event_files(&example::results()).swap_remove(3);
    let found = scalars(&file);
    let expected = [
        (1, "accuracy/task_aware", 1.0),
        (1, "accuracy/task_agnostic", 1.0),
        (1, "expert_accuracy", 1.0),
        (1, "bytes", 2000.0),
        (1, "task_aware/0-1", 1.0),
        (2, "accuracy/task_aware", 0.6),
        (2, "accuracy/task_agnostic", 0.5),
        (2, "expert_accuracy", 0.95),
        (2, "bytes", 5000.0),
        (2, "task_aware/0-1", 0.5),
        (2, "task_aware/2-3", 0.7),
    ];
    let expected: Vec<_> =
        expected.map(|(step, tag, value)| (step, step as f64, tag.to_owned(), value as f32)).to_vec();
    assert_eq!(found, expected);
}

#[test]
fn the_events_of_rounds() {
    // fedavg under seed 1, worked out in `example.rs`; experts come two in a round, so they have no step of their own.
    let (_, file) = event_files(&example::mixed()).swap_remove(3);
    let found: Vec<_> = scalars(&file).into_iter().map(|(step, _, tag, value)| (step, tag, value)).collect();
    let expected = [
        (1, "accuracy/task_aware", 0.625),
        (1, "accuracy/task_agnostic", 0.375),
        (1, "bytes", 4000.0),
        (1, "seconds", 2.5),
        (1, "task_aware/0-1", 0.5),
        (1, "task_aware/2-3", 0.75),
        (2, "accuracy/task_aware", 0.875),
        (2, "accuracy/task_agnostic", 0.625),
        (2, "bytes", 8000.0),
        (2, "seconds", 5.0),
        (2, "task_aware/0-1", 0.75),
        (2, "task_aware/2-3", 1.0),
    ];
    assert_eq!(found, expected.map(|(step, tag, value)| (step, tag.to_owned(), value)));
}

#[test]
fn a_step_after_which_one_task_was_judged_has_that_one() {
    let mut results = example::results();
    let rows = vec![MatrixRow::All(vec![1.0]), MatrixRow::Own(0.5), MatrixRow::All(vec![0.25, 0.5, 0.75])];
    let matrix: alluvium_results::AccuracyMatrix = rows.try_into().expect("valid");
    results.rows.truncate(1);
    let accuracy = Accuracy::Stream { task_aware: matrix.clone(), task_agnostic: matrix };
    results.rows[0].cells = vec![Cell { arrivals: vec![1, 0, 2], ..Cell::new(1, accuracy) }];
    let (_, file) = event_files(&results).swap_remove(0);
    let of_tasks = scalars(&file).into_iter().filter(|(_, _, tag, _)| tag.starts_with("task_aware/"));
    let found: Vec<_> = of_tasks.map(|(step, _, tag, value)| (step, tag, value)).collect();
    // The second device to come back was the stream's first; the results name two tasks only.
    let expected = [
        (1, "task_aware/2-3", 1.0),
        (2, "task_aware/0-1", 0.5),
        (3, "task_aware/2-3", 0.25),
        (3, "task_aware/0-1", 0.5),
        (3, "task_aware/3", 0.75),
    ];
    assert_eq!(found, expected.map(|(step, tag, value)| (step, tag.to_owned(), value)));
}

#[test]
fn a_reference_has_one_event_at_the_end() {
    let (_, file) = event_files(&example::results()).swap_remove(6);
    let found: Vec<_> = scalars(&file).into_iter().map(|(step, _, tag, value)| (step, tag, value)).collect();
    let expected = [
        ("accuracy/task_aware", 0.9),
        ("accuracy/task_agnostic", 0.85),
        ("task_aware/0-1", 0.9),
        ("task_aware/2-3", 0.9),
    ];
    assert_eq!(found, expected.map(|(tag, value)| (2, tag.to_owned(), value)));
}

#[test]
fn tasks_of_one_name_have_tags_of_their_own() {
    let mut results = example::results();
    results.tasks[1].name = results.tasks[0].name.clone();
    assert_eq!(task_tags(&results), ["0-1 (1)", "0-1 (2)"]);
    results.tasks_vary = true;
    assert_eq!(task_tags(&results), ["1", "2"]);
}

#[test]
fn an_empty_cell_has_no_file() {
    let mut results = example::results();
    results.rows.truncate(1);
    results.rows[0].cells = vec![Cell::new(1, Accuracy::Final { task_aware: vec![], task_agnostic: None })];
    assert!(event_files(&results).is_empty());
}
