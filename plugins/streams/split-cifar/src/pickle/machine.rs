//! The stack machine that executes a pickle.

use std::collections::HashMap;

use super::opcode::{Code, Opcode};
use super::value::{Array, Function, Id, Pickle, Value};

/// The largest number of instructions. CIFAR-100's training samples need about 300 000. Every instruction adds at most
/// one value, so this bounds the memory.
const MOST_INSTRUCTIONS: usize = 5_000_000;
/// The largest number of dimensions of an array. An array of images has two.
const MOST_DIMENSIONS: usize = 8;

/// Runs a pickle to its end.
///
/// # Errors
/// A description of the problem.
pub fn run(bytes: &[u8]) -> Result<Pickle<'_>, String> {
    let mut code = Code::new(bytes);
    let mut machine = Machine::default();
    for _ in 0..MOST_INSTRUCTIONS {
        let at = code.at();
        let named = |cause: String| format!("is not a pickle of CIFAR: {cause} (at byte {at})");
        match code.next().map_err(named)? {
            Opcode::Stop => {
                let root = machine.pop().map_err(named)?;
                return Ok(Pickle { values: machine.values, root });
            }
            opcode => machine.step(opcode).map_err(named)?,
        }
    }
    Err(format!("has more than {MOST_INSTRUCTIONS} instructions, more than any pickle of CIFAR"))
}

#[derive(Debug, Default)]
struct Machine<'a> {
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// The height of the stack at each mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    fn step(&mut self, opcode: Opcode<'a>) -> Result<(), String> {
        match opcode {
            Opcode::Stop | Opcode::Nothing => {}
            Opcode::Mark => self.marks.push(self.stack.len()),
            Opcode::None => self.push(Value::None),
            Opcode::Bool(value) => self.push(Value::Bool(value)),
            Opcode::Int(value) => self.push(Value::Int(value)),
            Opcode::Text(text) => self.push(Value::Text(text)),
            Opcode::EmptyTuple => self.push(Value::Tuple(vec![])),
            Opcode::Tuple => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            Opcode::Tuples(count) => {
                let items = self.pop_many(count)?;
                self.push(Value::Tuple(items));
            }
            Opcode::EmptyList => self.push(Value::List(vec![])),
            Opcode::Append => {
                let items = self.pop_many(1)?;
                self.append(items)?;
            }
            Opcode::Appends => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            Opcode::EmptyDict => self.push(Value::Dict(vec![])),
            Opcode::SetItem => {
                let items = self.pop_many(2)?;
                self.set_items(&items)?;
            }
            Opcode::SetItems => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            Opcode::Get(number) => {
                let id = self.memo.get(&number).ok_or("reads a value that it did not store")?;
                self.stack.push(*id);
            }
            Opcode::Put(number) => self.remember(number)?,
            Opcode::Memoize => self.remember(self.memo.len() as u32)?,
            Opcode::Function { module, name } => self.function(module, name)?,
            Opcode::StackFunction => {
                let parts = self.pop_many(2)?;
                let [Value::Text(module), Value::Text(name)] = [parts[0], parts[1]].map(|id| self.value(id)) else {
                    return Err("names a function by a value that is not text".to_owned());
                };
                let (module, name) = (*module, *name);
                self.function(module, name)?;
            }
            Opcode::Reduce => self.reduce()?,
            Opcode::Build => self.build()?,
        }
        Ok(())
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.values.len() as Id);
        self.values.push(value);
    }

    fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id as usize]
    }

    /// Values below the last mark cannot be taken before the mark.
    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count).filter(|start| *start >= floor) {
            Some(start) => Ok(self.stack.split_off(start)),
            None => Err("takes more values from the stack than it put there".to_owned()),
        }
    }

    fn pop(&mut self) -> Result<Id, String> {
        Ok(self.pop_many(1)?[0])
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, String> {
        let start = self.marks.pop().ok_or("takes values up to a mark that it did not set")?;
        Ok(self.stack.split_off(start))
    }

    fn top(&mut self) -> Result<Id, String> {
        let top = self.pop()?;
        self.stack.push(top);
        Ok(top)
    }

    fn remember(&mut self, number: u32) -> Result<(), String> {
        let top = self.top()?;
        self.memo.insert(number, top);
        Ok(())
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), String> {
        let list = self.top()?;
        match &mut self.values[list as usize] {
            Value::List(own) => {
                own.extend(items);
                Ok(())
            }
            other => Err(format!("appends to {}, not to a list", other.kind())),
        }
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), String> {
        let dict = self.top()?;
        let (pairs, []) = items.as_chunks::<2>() else { return Err("has a key without a value".to_owned()) };
        match &mut self.values[dict as usize] {
            Value::Dict(entries) => {
                entries.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            other => Err(format!("sets items of {}, not of a dict", other.kind())),
        }
    }

    fn function(&mut self, module: &[u8], name: &[u8]) -> Result<(), String> {
        let function = match (module, name) {
            // The module was renamed in numpy 2.
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"_reconstruct") => Function::Reconstruct,
            (b"numpy", b"ndarray") => Function::NdArray,
            (b"numpy", b"dtype") => Function::DType,
            _ => {
                let [module, name] = [module, name].map(|part| part.escape_ascii().to_string());
                return Err(format!("wants to call `{module}.{name}`, but code is never executed"));
            }
        };
        self.push(Value::Function(function));
        Ok(())
    }

    /// Does what Python's call `function(*arguments)` does.
    fn reduce(&mut self) -> Result<(), String> {
        let parts = self.pop_many(2)?;
        let Value::Tuple(arguments) = self.value(parts[1]) else {
            return Err("calls a function with arguments that are not a tuple".to_owned());
        };
        let first = arguments.first().map(|id| self.value(*id));
        let made = match (self.value(parts[0]), first) {
            // `_reconstruct(ndarray, (0,), 'b')`: an empty array, whose state comes next.
            (Value::Function(Function::Reconstruct), Some(Value::Function(Function::NdArray))) => {
                Value::Array(Array::default())
            }
            // `dtype('u1', 0, 1)`
            (Value::Function(Function::DType), Some(Value::Text(b"u1"))) => Value::Bytes,
            (Value::Function(Function::DType), _) => {
                return Err("has an array of another type than `u1`, unsigned bytes".to_owned());
            }
            (other, _) => return Err(format!("calls {} in a way that numpy does not", other.kind())),
        };
        self.push(made);
        Ok(())
    }

    /// Does what Python's `object.__setstate__(state)` does.
    fn build(&mut self) -> Result<(), String> {
        let state = self.pop()?;
        let object = self.top()?;
        match self.value(object) {
            // The state is the byte order of an item and the names of its fields. A byte has neither.
            Value::Bytes => Ok(()),
            Value::Array(_) => {
                let array = self.array(state)?;
                self.values[object as usize] = Value::Array(array);
                Ok(())
            }
            other => Err(format!("sets the state of {}, not of an array", other.kind())),
        }
    }

    /// The state of an array: `(version, shape, dtype, is_fortran, items)`.
    fn array(&self, state: Id) -> Result<Array<'a>, String> {
        let wrong = || "sets the state of an array to something that numpy does not".to_owned();
        let Value::Tuple(parts) = self.value(state) else { return Err(wrong()) };
        let [_, shape, kind, fortran, items] = parts[..] else { return Err(wrong()) };
        let parts = [shape, kind, fortran, items].map(|id| self.value(id));
        let [Value::Tuple(shape), Value::Bytes, Value::Bool(fortran), Value::Text(items)] = parts else {
            return Err(wrong());
        };
        let size = |id: &Id| match self.value(*id) {
            Value::Int(size) => usize::try_from(*size).map_err(|_| wrong()),
            _ => Err(wrong()),
        };
        if shape.len() > MOST_DIMENSIONS {
            return Err(wrong());
        }
        let shape: Vec<_> = shape.iter().map(size).collect::<Result<_, _>>()?;
        let count = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
        if count != Some(items.len()) {
            return Err(format!("has an array of the shape {shape:?} with {} bytes", items.len()));
        }
        Ok(Array { shape, fortran: *fortran, items })
    }
}
