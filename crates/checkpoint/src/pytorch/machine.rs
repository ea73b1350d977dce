//! Runs a pickle without executing any code. The objects that it would build are recorded as [`Object`]s.
//!
//! Training scripts save other objects beside the weights: schedulers, arguments, counters, arrays. An unknown class or
//! function is recorded by its name, and an object that it would build by that name alone. Neither is called, and the
//! content of such an object is discarded. So a file may name any code, even `os.system`: none of it runs, and the
//! weights can still be read. The file is refused only if such an object takes the place of the weights or of a dict
//! that holds them. The error then names the code.
//!
//! Every instruction adds at most a few objects, and objects refer to one another by number. So memory is bounded by
//! the number of instructions and the length of the pickle, and both are limited.

use std::collections::HashMap;

use crate::CheckpointError;
use crate::error::Place;
use crate::pytorch::calls::{self, CallResult};
use crate::pytorch::globals::Global;
use crate::pytorch::object::{Id, Object};
use crate::pytorch::opcode::{Code, NoOpcode, Opcode};
use crate::shown::shown;

/// The most bytes of a pickle.
pub(crate) const LONGEST_PICKLE: u64 = 100_000_000;
/// The most instructions. A checkpoint of ten thousand tensors with its optimiser has about two million.
const MOST_INSTRUCTIONS: usize = 5_000_000;
/// The most objects on the stack. Pickles put a thousand items there at a time.
const DEEPEST_STACK: usize = 100_000;
const MOST_REMEMBERED: usize = 2_000_000;

/// Why a pickle was not read to its end.
#[derive(Debug, PartialEq)]
pub(crate) enum RunError {
    /// It is not a pickle of weights.
    Broken(String),
    /// The bytes end within the instruction that begins at this byte.
    Cut(usize),
}

fn broken<T>(reason: impl Into<String>) -> Result<T, RunError> {
    Err(RunError::Broken(reason.into()))
}

/// All objects of a pickle.
#[derive(Debug)]
pub(crate) struct Pickle {
    objects: Vec<Object>,
    /// The object that the pickle represents.
    pub root: Id,
    /// How many bytes the pickle has.
    pub length: usize,
}

impl Pickle {
    pub(crate) fn get(&self, id: Id) -> &Object {
        &self.objects[id as usize]
    }

    /// The class or function that an object is, or that would build it: module and name, joined by a dot.
    pub(crate) fn code(&self, id: Id) -> Option<String> {
        calls::code(&self.objects, id)
    }

    /// Why an object is not an accepted tensor. The text completes the sentence "the tensor …".
    pub(crate) fn why_no_tensor(&self, id: Id) -> String {
        calls::why_no_tensor(&self.objects, id)
    }

    /// All objects, in the order in which they were built.
    pub(crate) fn objects(&self) -> &[Object] {
        &self.objects
    }
}

/// Runs the pickle at the beginning of these bytes to its end.
pub(crate) fn run(bytes: &[u8]) -> Result<Pickle, RunError> {
    let mut code = Code::new(bytes);
    let mut machine = Machine::default();
    for _ in 0..MOST_INSTRUCTIONS {
        let at = code.at();
        let opcode = code.next().map_err(|NoOpcode(byte)| match byte {
            Some(byte) => RunError::Broken(format!(
                "has the instruction {byte:#04x} at byte {at}, which no pickle of weights needs"
            )),
            None => RunError::Cut(at),
        })?;
        if opcode == Opcode::Stop {
            let root = machine.pop().map_err(|stopped| stopped.at(at))?;
            return Ok(Pickle { objects: machine.objects, root, length: code.at() });
        }
        machine.step(opcode).map_err(|stopped| stopped.at(at))?;
    }
    broken(format!("has more than {MOST_INSTRUCTIONS} instructions"))
}

impl RunError {
    fn at(self, byte: usize) -> Self {
        match self {
            RunError::Broken(reason) => RunError::Broken(format!("{reason} (at byte {byte})")),
            other => other,
        }
    }

    pub(crate) fn into_checkpoint_error(self, place: &Place) -> CheckpointError {
        match self {
            RunError::Broken(reason) => place.broken(format!("its pickle {reason}")),
            RunError::Cut(at) => place.broken(format!("its pickle ends in the middle of the instruction at byte {at}")),
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
    /// The number of entries of dicts that were built from lists. Lists may be shared, so this number is limited.
    copied: usize,
}

impl Machine {
    fn step(&mut self, opcode: Opcode<'_>) -> Result<(), RunError> {
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
            Opcode::Bool(value) => self.push(Object::Bool(value)),
            Opcode::Int(value) => self.push(Object::Int(value)),
            Opcode::Large(_) => self.push(Object::Other("a large int")),
            Opcode::Other(kind) => self.push(Object::Other(kind)),
            Opcode::Text(bytes) => self.push(match str::from_utf8(bytes) {
                Ok(text) => Object::Text(text.to_owned()),
                // Python 2 wrote bytes like this. Python 3 writes texts with lone surrogates like this.
                Err(_) => Object::Other("a str that is not UTF-8"),
            }),
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
                    Object::Other("a set") | Object::Made { .. } => Ok(()),
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
                None => broken(format!("refers to the object {number}, which was not stored")),
            },
            Opcode::Put(number) => self.remember(number),
            Opcode::Memoize => self.remember(u32::try_from(self.memo.len()).unwrap_or(u32::MAX)),
            Opcode::Global { module, name } => {
                let global = self.global(text(module)?, text(name)?);
                self.push_id(global)
            }
            Opcode::StackGlobal => self.stack_global(),
            Opcode::Persistent => self.persistent(),
            Opcode::Reduce => self.reduce(),
            Opcode::Build => self.build(),
            Opcode::Instance { module, name } => {
                let class = self.global(text(module)?, text(name)?);
                let arguments = self.pop_to_mark()?;
                self.make(class, arguments)
            }
            Opcode::Obj => {
                let mut parts = self.pop_to_mark()?;
                if parts.is_empty() {
                    broken("builds an object without a class")
                } else {
                    self.make(parts.remove(0), parts)
                }
            }
            Opcode::NewObj(arguments) => {
                let mut parts = self.pop_many(1 + arguments)?;
                self.make(parts.remove(0), parts)
            }
        }
    }

    /// Adds an object without pushing it on the stack. An instruction adds at most three, and the number of
    /// instructions is limited.
    fn add(&mut self, object: Object) -> Id {
        self.objects.push(object);
        (self.objects.len() - 1) as Id
    }

    fn push(&mut self, object: Object) -> Result<(), RunError> {
        let id = self.add(object);
        self.push_id(id)
    }

    fn push_id(&mut self, id: Id) -> Result<(), RunError> {
        if self.stack.len() >= DEEPEST_STACK {
            return broken(format!("puts more than {DEEPEST_STACK} objects on the stack"));
        }
        self.stack.push(id);
        Ok(())
    }

    fn mark(&mut self) -> Result<(), RunError> {
        if self.marks.len() >= DEEPEST_STACK {
            return broken(format!("sets more than {DEEPEST_STACK} marks"));
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// The height of the stack at the last mark. Objects below it cannot be popped before the mark is.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>, RunError> {
        match self.stack.len().checked_sub(count).filter(|start| *start >= self.floor()) {
            Some(start) => Ok(self.stack.split_off(start)),
            None => broken("pops an empty stack"),
        }
    }

    fn pop(&mut self) -> Result<Id, RunError> {
        Ok(self.pop_many(1)?[0])
    }

    fn top(&self) -> Result<Id, RunError> {
        match self.stack[self.floor()..].last() {
            Some(id) => Ok(*id),
            None => broken("pops an empty stack"),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, RunError> {
        match self.marks.pop() {
            Some(start) => Ok(self.stack.split_off(start)),
            None => broken("pops up to a mark that was not set"),
        }
    }

    fn remember(&mut self, number: u32) -> Result<(), RunError> {
        let top = self.top()?;
        if self.memo.len() >= MOST_REMEMBERED && !self.memo.contains_key(&number) {
            return broken(format!("stores more than {MOST_REMEMBERED} objects"));
        }
        self.memo.insert(number, top);
        Ok(())
    }

    fn object(&self, id: Id) -> &Object {
        &self.objects[id as usize]
    }

    fn append(&mut self, new: &[Id]) -> Result<(), RunError> {
        let list = self.top()?;
        match &mut self.objects[list as usize] {
            Object::List(items) => {
                items.extend_from_slice(new);
                Ok(())
            }
            Object::Made { .. } => Ok(()),
            other => broken(format!("adds items to {}, not to a list", other.kind())),
        }
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), RunError> {
        let dict = self.top()?;
        let (pairs, []) = items.as_chunks::<2>() else { return broken("has a key without a value") };
        match &mut self.objects[dict as usize] {
            Object::Dict(entries) => {
                entries.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            Object::Made { .. } => Ok(()),
            other => broken(format!("sets items of {}, not of a dict", other.kind())),
        }
    }

    fn global(&mut self, module: &str, name: &str) -> Id {
        match Global::named(module, name) {
            Some(global) => self.add(Object::Global(global)),
            None => {
                let [module, name] = [module, name].map(|text| self.add(Object::Text(text.to_owned())));
                self.add(Object::Code { module, name })
            }
        }
    }

    fn stack_global(&mut self) -> Result<(), RunError> {
        let parts = self.pop_many(2)?;
        let (module, name) = (parts[0], parts[1]);
        let [Object::Text(own), Object::Text(inner)] = [module, name].map(|id| self.object(id)) else {
            return broken("names a class by something that is not a text");
        };
        // The texts are not copied. They may be long, and shared by many instructions.
        let global = Global::named(own, inner).map_or(Object::Code { module, name }, Object::Global);
        self.push(global)
    }

    /// Records an object of a class without building it. This applies to every class that is instantiated, not called.
    fn make(&mut self, by: Id, arguments: Vec<Id>) -> Result<(), RunError> {
        match self.object(by) {
            Object::Global(_) | Object::Code { .. } | Object::Made { .. } => {
                let arguments = self.add(Object::Tuple(arguments));
                self.push(Object::Made { by, arguments })
            }
            other => broken(format!("builds an object of {}", other.kind())),
        }
    }

    /// `('storage', class, key, location, length)` describes a storage. Without an archive there is a sixth item: a
    /// view of the storage, or None. Anything else, such as the source of a class, does not belong to the weights.
    fn persistent(&mut self) -> Result<(), RunError> {
        let id = self.pop()?;
        let storage = calls::storage(&self.objects, id);
        self.push(storage.map_or(Object::Other("a reference to something that is not a storage"), Object::Storage))
    }

    /// Records the result of a call: `callable(*arguments)`.
    fn reduce(&mut self) -> Result<(), RunError> {
        let parts = self.pop_many(2)?;
        let (by, arguments) = (parts[0], parts[1]);
        let Object::Tuple(given) = self.object(arguments) else {
            return broken("calls something with arguments that are not a tuple");
        };
        match self.object(by) {
            Object::Global(global) => match calls::made(&self.objects, global, given) {
                Ok(CallResult::Object(object)) => {
                    if let Object::Dict(entries) = &object {
                        self.copied += entries.len();
                    }
                    if self.copied > MOST_INSTRUCTIONS {
                        broken(format!("builds dicts of more than {MOST_INSTRUCTIONS} entries"))
                    } else {
                        self.push(object)
                    }
                }
                Ok(CallResult::Same(id)) => self.push_id(id),
                // If the object is among the weights, it is reported there.
                Err(_) => self.push(Object::Made { by, arguments }),
            },
            Object::Code { .. } | Object::Made { .. } => self.push(Object::Made { by, arguments }),
            other => broken(format!("calls {}", other.kind())),
        }
    }

    /// `object.__setstate__(state)`. The state of an ordered dict holds attributes such as `_metadata`; that of a
    /// parameter before version 0.4 says whether it is trained. Neither affects the weights. Any other state of a
    /// tensor would change its values.
    fn build(&mut self) -> Result<(), RunError> {
        let (state, top) = (self.pop()?, self.top()?);
        match (self.object(top), self.object(state)) {
            (Object::Dict(_) | Object::Made { .. }, _) => Ok(()),
            (Object::Tensor(_), Object::Tuple(parts)) if parts.len() == 3 => Ok(()),
            (Object::Tensor(_), _) => {
                self.objects[top as usize] = Object::Other("a tensor whose state was replaced");
                Ok(())
            }
            (Object::Other(_), _) => Ok(()),
            (other, _) => broken(format!("sets the state of {}; accepted: of a dict", other.kind())),
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, RunError> {
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
            RunError::Broken(reason) => reason,
            RunError::Cut(at) => format!("cut at {at}"),
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
        // os.system as GLOBAL; called by INST, OBJ, NEWOBJ and REDUCE; named by STACK_GLOBAL with two texts.
        for bytes in [
            &b"\x80\x02cos\nsystem\n."[..],
            b"(ios\nsystem\n.",
            b"(cos\nsystem\no.",
            b"\x80\x02cos\nsystem\n)\x81.",
            b"\x80\x02cos\nsystem\n)R)R}b.",
            b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        ] {
            let pickle = run(bytes).unwrap();
            assert_eq!(pickle.code(pickle.root).as_deref(), Some("os.system"), "{bytes:?}");
        }
        let dict = run(b"\x80\x02ccollections\nOrderedDict\n)\x81.").unwrap();
        assert_eq!(dict.code(dict.root).as_deref(), Some("collections.OrderedDict"));
    }

    #[test]
    fn the_content_of_an_unknown_object_is_discarded() {
        // collections.deque([1]) as pickle writes it: built empty, then an item is added; then set items, and a state.
        for tail in [&b"K\x01a"[..], b"(K\x01K\x02e", b"K\x01K\x02s", b"(K\x01K\x02u", b"(K\x01\x90", b"}b"] {
            let bytes = [b"\x80\x02ccollections\ndeque\n)R", tail, b"."].concat();
            let pickle = run(&bytes).unwrap();
            assert!(matches!(pickle.get(pickle.root), Object::Made { .. }), "{tail:?}");
        }
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
    fn a_stack_that_is_too_short_does_not_panic() {
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
