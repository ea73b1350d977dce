//! Runs a pickle without executing anything: what it would build is written down as [`Object`]s.
//!
//! Every instruction adds at most one object, and objects are shared by number, so memory is bounded by the number of
//! instructions and the length of the pickle, both of which are limited.

use std::collections::HashMap;

use crate::CheckpointError;
use crate::error::Place;
use crate::pytorch::globals::Global;
use crate::pytorch::object::{Id, Object, Storage, TensorObject};
use crate::pytorch::opcode::{Code, NoOpcode, Opcode};
use crate::shown::shown;

/// The longest pickle that is read.
pub(crate) const LONGEST_PICKLE: u64 = 100_000_000;
/// A checkpoint of ten thousand tensors with its optimiser has about two million.
const MOST_INSTRUCTIONS: usize = 5_000_000;
/// Pickles put a thousand items on the stack at a time.
const DEEPEST_STACK: usize = 100_000;
const MOST_REMEMBERED: usize = 2_000_000;

/// Why a pickle was not read to its end.
#[derive(Debug, PartialEq)]
pub(crate) enum Stopped {
    /// It is no pickle of weights.
    Broken(String),
    /// The bytes end within the instruction that begins at this one.
    Cut(usize),
    /// It wants to call this.
    Code(String),
}

fn broken<T>(reason: impl Into<String>) -> Result<T, Stopped> {
    Err(Stopped::Broken(reason.into()))
}

/// All objects of a pickle.
#[derive(Debug)]
pub(crate) struct Pickle {
    objects: Vec<Object>,
    /// The object that the pickle stands for.
    pub root: Id,
    /// How many bytes the pickle has.
    pub length: usize,
}

impl Pickle {
    pub(crate) fn get(&self, id: Id) -> &Object {
        &self.objects[id as usize]
    }

    /// All of them, in the order in which they were made.
    pub(crate) fn objects(&self) -> &[Object] {
        &self.objects
    }
}

/// Runs the pickle that these bytes begin with to its end.
pub(crate) fn run(bytes: &[u8]) -> Result<Pickle, Stopped> {
    let mut code = Code::new(bytes);
    let mut machine = Machine::default();
    for _ in 0..MOST_INSTRUCTIONS {
        let at = code.at();
        let opcode = code.next().map_err(|NoOpcode(byte)| match byte {
            Some(byte) => Stopped::Broken(format!(
                "has the instruction {byte:#04x} at byte {at}, which no pickle of weights needs"
            )),
            None => Stopped::Cut(at),
        })?;
        if opcode == Opcode::Stop {
            let root = machine.pop().map_err(|stopped| stopped.at(at))?;
            return Ok(Pickle { objects: machine.objects, root, length: code.at() });
        }
        machine.step(opcode).map_err(|stopped| stopped.at(at))?;
    }
    broken(format!("has more than {MOST_INSTRUCTIONS} instructions"))
}

impl Stopped {
    fn at(self, byte: usize) -> Self {
        match self {
            Stopped::Broken(reason) => Stopped::Broken(format!("{reason} (at byte {byte})")),
            other => other,
        }
    }

    pub(crate) fn told(self, place: &Place) -> CheckpointError {
        match self {
            Stopped::Broken(reason) => place.broken(format!("its pickle {reason}")),
            Stopped::Cut(at) => place.broken(format!("its pickle ends in the middle of the instruction at byte {at}")),
            Stopped::Code(wanted) => place.code(wanted),
        }
    }
}

#[derive(Debug, Default)]
struct Machine {
    objects: Vec<Object>,
    stack: Vec<Id>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl Machine {
    fn step(&mut self, opcode: Opcode<'_>) -> Result<(), Stopped> {
        match opcode {
            Opcode::Proto(2..=5) | Opcode::Frame | Opcode::Stop => Ok(()),
            Opcode::Proto(version) => broken(format!("has protocol {version}; accepted: 2 to 5")),
            Opcode::Mark => self.mark(),
            Opcode::Pop => self.pop().map(|_| ()),
            Opcode::PopMark => self.pop_to_mark().map(|_| ()),
            Opcode::Dup => {
                let top = self.top()?;
                self.push_id(top)
            }
            Opcode::None => self.push(Object::None),
            Opcode::Bool => self.push(Object::Bool),
            Opcode::Int(value) => self.push(Object::Int(value)),
            Opcode::Large(_) => self.push(Object::Other("a large int")),
            Opcode::Other(kind) => self.push(Object::Other(kind)),
            Opcode::Text(bytes) => {
                let text = text(bytes)?.to_owned();
                self.push(Object::Text(text))
            }
            Opcode::EmptyTuple => self.push(Object::Tuple(vec![])),
            Opcode::Tuple => {
                let items = self.pop_to_mark()?;
                self.push(Object::Tuple(items))
            }
            Opcode::Tuples(count) => {
                let items = self.pop_many(count)?;
                self.push(Object::Tuple(items))
            }
            Opcode::EmptyList => self.push(Object::List(vec![])),
            Opcode::EmptyDict => self.push(Object::Dict(vec![])),
            Opcode::EmptySet => self.push(Object::Other("a set")),
            Opcode::FrozenSet => {
                self.pop_to_mark()?;
                self.push(Object::Other("a frozenset"))
            }
            Opcode::Append => {
                let item = self.pop()?;
                self.append(&[item])
            }
            Opcode::Appends => {
                let items = self.pop_to_mark()?;
                self.append(&items)
            }
            Opcode::AddItems => {
                self.pop_to_mark()?;
                match self.object(self.top()?) {
                    Object::Other("a set") => Ok(()),
                    other => broken(format!("adds items to {}, not to a set", other.kind())),
                }
            }
            Opcode::SetItem => {
                let pair = self.pop_many(2)?;
                self.set_items(&pair)
            }
            Opcode::SetItems => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)
            }
            Opcode::Get(number) => match self.memo.get(&number).copied() {
                Some(id) => self.push_id(id),
                None => broken(format!("asks for the object {number}, which it did not remember")),
            },
            Opcode::Put(number) => self.remember(number),
            Opcode::Memoize => self.remember(u32::try_from(self.memo.len()).unwrap_or(u32::MAX)),
            Opcode::Global { module, name } => self.global(text(module)?, text(name)?),
            Opcode::StackGlobal => self.stack_global(),
            Opcode::Persistent => self.persistent(),
            Opcode::Reduce => self.reduce(),
            Opcode::Build => self.build(),
            Opcode::Instance { module, name } => Err(Stopped::Code(format!("{}.{}", text(module)?, text(name)?))),
            Opcode::Obj => {
                let parts = self.pop_to_mark()?;
                self.instance(parts.first())
            }
            Opcode::NewObj(arguments) => {
                let parts = self.pop_many(1 + arguments)?;
                self.instance(parts.first())
            }
        }
    }

    fn push(&mut self, object: Object) -> Result<(), Stopped> {
        // There are not more objects than instructions.
        let id = self.objects.len() as Id;
        self.objects.push(object);
        self.push_id(id)
    }

    fn push_id(&mut self, id: Id) -> Result<(), Stopped> {
        if self.stack.len() >= DEEPEST_STACK {
            return broken(format!("puts more than {DEEPEST_STACK} objects on the stack"));
        }
        self.stack.push(id);
        Ok(())
    }

    fn mark(&mut self) -> Result<(), Stopped> {
        if self.marks.len() >= DEEPEST_STACK {
            return broken(format!("sets more than {DEEPEST_STACK} marks"));
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// How much of the stack lies below the last mark, and cannot be taken before the mark is.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>, Stopped> {
        match self.stack.len().checked_sub(count).filter(|start| *start >= self.floor()) {
            Some(start) => Ok(self.stack.split_off(start)),
            None => broken("takes more from the stack than it put there"),
        }
    }

    fn pop(&mut self) -> Result<Id, Stopped> {
        Ok(self.pop_many(1)?[0])
    }

    fn top(&self) -> Result<Id, Stopped> {
        match self.stack[self.floor()..].last() {
            Some(id) => Ok(*id),
            None => broken("takes more from the stack than it put there"),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, Stopped> {
        match self.marks.pop() {
            Some(start) => Ok(self.stack.split_off(start)),
            None => broken("takes objects up to a mark that it did not set"),
        }
    }

    fn remember(&mut self, number: u32) -> Result<(), Stopped> {
        let top = self.top()?;
        if self.memo.len() >= MOST_REMEMBERED && !self.memo.contains_key(&number) {
            return broken(format!("remembers more than {MOST_REMEMBERED} objects"));
        }
        self.memo.insert(number, top);
        Ok(())
    }

    fn object(&self, id: Id) -> &Object {
        &self.objects[id as usize]
    }

    fn append(&mut self, new: &[Id]) -> Result<(), Stopped> {
        let list = self.top()?;
        match &mut self.objects[list as usize] {
            Object::List(items) => {
                items.extend_from_slice(new);
                Ok(())
            }
            other => broken(format!("adds items to {}, not to a list", other.kind())),
        }
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), Stopped> {
        let dict = self.top()?;
        let (pairs, []) = items.as_chunks::<2>() else { return broken("has a key without a value") };
        match &mut self.objects[dict as usize] {
            Object::Dict(entries) => {
                entries.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            other => broken(format!("sets items of {}, not of a dict", other.kind())),
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), Stopped> {
        match Global::named(module, name) {
            Some(global) => self.push(Object::Global(global)),
            None => Err(Stopped::Code(format!("{module}.{name}"))),
        }
    }

    fn stack_global(&mut self) -> Result<(), Stopped> {
        let parts = self.pop_many(2)?;
        let [Object::Text(module), Object::Text(name)] = [parts[0], parts[1]].map(|id| self.object(id)) else {
            return broken("names a class by something that is no text");
        };
        match Global::named(module, name) {
            Some(global) => self.push(Object::Global(global)),
            None => Err(Stopped::Code(format!("{module}.{name}"))),
        }
    }

    /// Weights need no objects of classes, not even of those that are known.
    fn instance(&self, class: Option<&Id>) -> Result<(), Stopped> {
        match class.map(|id| self.object(*id)) {
            Some(Object::Global(global)) => Err(Stopped::Code(global.to_string())),
            other => broken(format!("makes an object of {}", other.map_or("nothing", Object::kind))),
        }
    }

    /// `('storage', class, key, location, length)` stands for a storage. Without an archive there is a sixth part: the part
    /// of the storage that is meant, or None.
    fn persistent(&mut self) -> Result<(), Stopped> {
        let id = self.pop()?;
        let Object::Tuple(parts) = self.object(id) else {
            return broken(format!("refers to {} as a storage", self.object(id).kind()));
        };
        let ([kind, class, key, _, length] | [kind, class, key, _, length, _]) = parts[..] else {
            return broken(format!("refers to a storage by {} parts; accepted: 5 or 6", parts.len()));
        };
        let is_view = parts.get(5).is_some_and(|id| !matches!(self.object(*id), Object::None));
        match [kind, class, key, length].map(|id| self.object(id)) {
            [Object::Text(kind), Object::Global(Global::Storage { .. }), Object::Text(_), Object::Int(length)]
                if kind == "storage" =>
            {
                let length = *length;
                self.push(Object::Storage(Storage { class, key, length, is_view }))
            }
            parts => broken(format!(
                "refers to a storage by {}; accepted: 'storage', its class, key, location and length",
                parts.map(Object::kind).join(", ")
            )),
        }
    }

    /// What Python does by calling: `callable(*arguments)`.
    fn reduce(&mut self) -> Result<(), Stopped> {
        let parts = self.pop_many(2)?;
        let Object::Tuple(arguments) = self.object(parts[1]) else {
            return broken("calls something with arguments that are no tuple");
        };
        match self.object(parts[0]) {
            Object::Global(Global::OrderedDict) if arguments.is_empty() => self.push(Object::Dict(vec![])),
            Object::Global(Global::OrderedDict) if arguments.len() == 1 => {
                let entries = self.pairs(arguments[0])?;
                self.push(Object::Dict(entries))
            }
            Object::Global(Global::Size) if arguments.len() == 1 => {
                let sizes = arguments[0];
                self.push_id(sizes)
            }
            Object::Global(Global::Parameter) if (1..=3).contains(&arguments.len()) => {
                let data = arguments[0];
                match self.object(data) {
                    Object::Tensor(_) => self.push_id(data),
                    other => broken(format!("makes a parameter of {}", other.kind())),
                }
            }
            Object::Global(Global::Tensor) if matches!(arguments.len(), 4 | 6 | 7) => {
                let tensor = self.tensor(arguments)?;
                self.push(Object::Tensor(tensor))
            }
            Object::Global(global) => {
                broken(format!("calls `{global}` with {} arguments, as `torch.save` does not", arguments.len()))
            }
            other => broken(format!("calls {}", other.kind())),
        }
    }

    /// The keys and values that Python 2 gives to an ordered dict: a list of lists of two.
    fn pairs(&self, list: Id) -> Result<Vec<(Id, Id)>, Stopped> {
        let pair = |id: &Id| match self.object(*id) {
            Object::List(pair) | Object::Tuple(pair) => <[Id; 2]>::try_from(&pair[..]).ok().map(|[a, b]| (a, b)),
            _ => None,
        };
        let pairs = match self.object(list) {
            Object::List(items) => items.iter().map(pair).collect(),
            _ => None,
        };
        pairs.map_or_else(|| broken("makes an ordered dict of something that is no list of pairs"), Ok)
    }

    /// `_rebuild_tensor_v2(storage, offset, sizes, strides, requires_grad, hooks)`; before version 0.4, without the latter two.
    fn tensor(&self, arguments: &[Id]) -> Result<TensorObject, Stopped> {
        let [storage, offset, sizes, strides] = [0, 1, 2, 3].map(|index: usize| arguments[index]);
        match [storage, offset, sizes, strides].map(|id| self.object(id)) {
            [Object::Storage(storage), Object::Int(offset), Object::Tuple(_), Object::Tuple(_)] => {
                Ok(TensorObject { storage: *storage, offset: *offset, sizes, strides })
            }
            parts => broken(format!(
                "makes a tensor of {}; accepted: a storage, an int and two tuples",
                parts.map(Object::kind).join(", ")
            )),
        }
    }

    /// `object.__setstate__(state)`: an ordered dict has attributes such as `_metadata`, and a parameter of before version 0.4
    /// whether it is trained; they say nothing of weights. Other states of a tensor would be its values.
    fn build(&mut self) -> Result<(), Stopped> {
        let state = self.pop()?;
        match (self.object(self.top()?), self.object(state)) {
            (Object::Dict(_), _) => Ok(()),
            (Object::Tensor(_), Object::Tuple(parts)) if parts.len() == 3 => Ok(()),
            (other, _) => broken(format!("sets the state of {}; accepted: of a dict", other.kind())),
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, Stopped> {
    match str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) => broken(format!("has a text that is not UTF-8: {}", shown(&String::from_utf8_lossy(bytes)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(bytes: &[u8]) -> String {
        match run(bytes).unwrap_err() {
            Stopped::Broken(reason) => reason,
            Stopped::Cut(at) => format!("cut at {at}"),
            Stopped::Code(name) => format!("code {name}"),
        }
    }

    #[test]
    fn a_dict_is_read_in_order() {
        // pickle.dumps({'a': 1, 'b': None}, 2)
        let pickle = run(b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01K\x01X\x01\x00\x00\x00bq\x02Nu.").unwrap();
        let Object::Dict(entries) = pickle.get(pickle.root) else { panic!("a dict") };
        let shown: Vec<_> = entries.iter().map(|(key, value)| (pickle.get(*key), pickle.get(*value))).collect();
        assert!(
            matches!(&shown[..], [(Object::Text(a), Object::Int(1)), (Object::Text(b), Object::None)] if a == "a" && b == "b")
        );
    }

    #[test]
    fn code_is_named_and_not_run() {
        // os.system as GLOBAL, by INST, and by STACK_GLOBAL with its two texts.
        for bytes in [&b"\x80\x02cos\nsystem\n."[..], b"(ios\nsystem\n.", b"\x80\x04\x8c\x02os\x8c\x06system\x93."] {
            assert_eq!(stopped(bytes), "code os.system");
        }
        assert_eq!(stopped(b"\x80\x02ccollections\nOrderedDict\n)\x81."), "code collections.OrderedDict");
        assert_eq!(stopped(b"(ccollections\nOrderedDict\no."), "code collections.OrderedDict");
    }

    #[test]
    fn what_is_built_stays_bounded() {
        // 0x2 duplicates the topmost object.
        let deep = [&b"\x80\x02N"[..], &[b'2'; DEEPEST_STACK]].concat();
        assert!(stopped(&deep).contains("more than 100000 objects"), "{}", stopped(&deep));
        let marks = [b'('; DEEPEST_STACK + 1];
        assert!(stopped(&marks).contains("marks"), "{}", stopped(&marks));
        let long = [b'N', b'0'].repeat(MOST_INSTRUCTIONS / 2 + 1);
        assert!(stopped(&long).contains("more than 5000000 instructions"), "{}", stopped(&long));
    }

    #[test]
    fn a_stack_that_is_too_short_is_no_panic() {
        for bytes in [
            &b"."[..],
            b"0.",
            b"1.",
            b"2.",
            b"t.",
            b"\x85.",
            b"N\x86.",
            b"a.",
            b"u.",
            b"R.",
            b"Q.",
            b"b.",
            b"q\0.",
            b"\x93.",
            b"N(0.",
        ] {
            assert!(run(bytes).is_err(), "{bytes:?}");
        }
    }
}
