//! Tasks whose numbers are standardised, each with the moments of its own training samples.

use alluvium_stream::{InputShape, Samples, SplitTasks, StreamError, Task, TaskStream, ValueType};

/// The tasks of a table.
#[derive(Debug)]
pub struct TableTasks {
    pub tasks: SplitTasks,
    /// Whether each value of an input is standardised.
    pub standardised: Vec<bool>,
    pub notes: Vec<String>,
}

impl TaskStream for TableTasks {
    fn input(&self) -> InputShape {
        self.tasks.input()
    }

    fn value_type(&self) -> ValueType {
        ValueType::Numbers
    }

    fn class_names(&self) -> &[String] {
        self.tasks.class_names()
    }

    fn tasks(&self) -> usize {
        self.tasks.tasks()
    }

    fn notes(&self) -> Vec<String> {
        self.tasks.notes().into_iter().chain(self.notes.iter().cloned()).collect()
    }

    fn task(&self, index: usize) -> Result<Task, StreamError> {
        let mut task = self.tasks.task(index)?;
        if self.standardised.contains(&true) {
            let train = task.train.held()?;
            let moments = self.moments(&train);
            task.test = scaled(&task.test.held()?, &moments);
            task.train = scaled(&train, &moments);
        }
        Ok(task)
    }
}

impl TableTasks {
    /// What is subtracted from each value of an input, and what it is divided by: mean and standard deviation over the samples.
    /// A value that is the same in all of them is divided by 1.
    fn moments(&self, samples: &Samples) -> Vec<(f64, f64)> {
        let count = samples.len() as f64;
        let over =
            |value: &dyn Fn(&[f32]) -> f64| (0..samples.len()).map(|index| value(samples.numbers(index))).sum::<f64>();
        let moments = |(at, standardised): (usize, &bool)| {
            if !standardised {
                return (0.0, 1.0);
            }
            let mean = over(&|numbers| f64::from(numbers[at])) / count;
            let variance = over(&|numbers| (f64::from(numbers[at]) - mean).powi(2)) / count;
            (mean, if variance > 0.0 { variance.sqrt() } else { 1.0 })
        };
        self.standardised.iter().enumerate().map(moments).collect()
    }
}

fn scaled(samples: &Samples, moments: &[(f64, f64)]) -> Samples {
    let numbers = (0..samples.len()).flat_map(|index| {
        let scale = |(number, (mean, deviation)): (&f32, &(f64, f64))| ((f64::from(*number) - mean) / deviation) as f32;
        samples.numbers(index).iter().zip(moments).map(scale).collect::<Vec<_>>()
    });
    Samples::of_numbers(samples.input(), numbers.collect(), samples.labels().to_vec())
}
