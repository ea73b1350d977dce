//! Gram sums and the solution of ridge regression, in 64 bits, for features in a file: the counterpart of `side-by-side/sums.py`,
//! which calls it.
//!
//! `sums FEATURES LABELS COUNT SIZE THREADS`: `COUNT`·`SIZE` numbers of 32 bits, row by row, and `COUNT` bytes. It prints the seconds of
//! sums and solution, the largest memory of the process, and the sum of the squares of the weights, as JSON.

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Read};
use std::time::Instant;

use alluvium_statistics::ridge::{Choice, solve};
use alluvium_statistics::{ClassSums, Moments};
use serde_json::json;

/// λ, as a fraction of the mean variance of a feature times the number of samples.
const RIDGE: f64 = 1e-3;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [features, labels, count, size, threads] = arguments.as_slice() else {
        return Err("needs FEATURES LABELS COUNT SIZE THREADS".into());
    };
    let (count, size): (usize, usize) = (count.parse()?, size.parse()?);
    rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build_global()?;
    let rows = numbers(features, count * size)?;
    let labels: Vec<usize> = std::fs::read(labels)?.into_iter().map(usize::from).collect();
    if labels.len() != count {
        return Err(format!("{} labels, not {count}", labels.len()).into());
    }

    let started = Instant::now();
    let mut sums = ClassSums::new(size, Moments::Shared);
    sums.add_samples(&rows, &labels);
    let summed = started.elapsed().as_secs_f64();
    let solution = solve(&sums, Choice::Fraction(RIDGE))?;
    let seconds = started.elapsed().as_secs_f64();
    let columns = 0..solution.weight.ncols();
    let squares: f64 = columns.map(|column| solution.weight.col(column).squared_norm_l2()).sum();
    println!("{}", json!({"seconds": seconds, "sums": summed, "memory": memory(), "squares": squares}));
    Ok(())
}

/// The numbers of a file. It is read piece by piece, so that its bytes do not count as memory.
fn numbers(file: &str, count: usize) -> std::io::Result<Vec<f32>> {
    let mut reader = BufReader::new(File::open(file)?);
    let mut numbers = Vec::with_capacity(count);
    let mut piece = vec![0; 4 << 16];
    loop {
        let wanted = piece.len().min(4 * (count - numbers.len()));
        if wanted == 0 {
            return Ok(numbers);
        }
        reader.read_exact(&mut piece[..wanted])?;
        let read = piece[..wanted].chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        numbers.extend(read);
    }
}

/// The largest memory of the process in bytes, where the system says it.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| 1024 * kib)
}
