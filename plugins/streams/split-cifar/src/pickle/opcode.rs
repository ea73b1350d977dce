//! Reads a pickle instruction by instruction.

/// An instruction with its argument. Instructions with the same effect share one variant.
#[derive(Debug, PartialEq, Eq)]
pub enum Opcode<'a> {
    Stop,
    /// The protocol, or a frame's length. They have no effect.
    Nothing,
    Mark,
    None,
    Bool(bool),
    Int(i64),
    Text(&'a [u8]),
    EmptyTuple,
    /// A tuple of the values above the mark.
    Tuple,
    /// A tuple of the given number of values.
    Tuples(usize),
    EmptyList,
    Append,
    Appends,
    EmptyDict,
    SetItem,
    SetItems,
    Get(u32),
    Put(u32),
    Memoize,
    Function {
        module: &'a [u8],
        name: &'a [u8],
    },
    StackFunction,
    Reduce,
    Build,
}

/// The remaining bytes.
#[derive(Debug)]
pub struct Code<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Code<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Code { bytes, at: 0 }
    }

    /// The number of bytes read so far.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next instruction, or a description of the problem.
    pub fn next(&mut self) -> Result<Opcode<'a>, String> {
        let [code] = self.array()?;
        Ok(match code {
            b'.' => Opcode::Stop,
            0x80 => self.array::<1>().map(|_| Opcode::Nothing)?,
            0x95 => self.array::<8>().map(|_| Opcode::Nothing)?,
            b'(' => Opcode::Mark,
            b'N' => Opcode::None,
            0x88 => Opcode::Bool(true),
            0x89 => Opcode::Bool(false),
            b'K' => Opcode::Int(i64::from(self.array::<1>()?[0])),
            b'M' => Opcode::Int(i64::from(u16::from_le_bytes(self.array()?))),
            b'J' => Opcode::Int(i64::from(i32::from_le_bytes(self.array()?))),
            0x8a => self.long()?,
            b'I' => self.decimal()?,
            // Texts and bytes, from Python 2 and Python 3.
            b'U' | b'C' | 0x8c => self.text::<1>()?,
            b'T' | b'B' | b'X' => self.text::<4>()?,
            0x8d | 0x8e => self.text::<8>()?,
            b')' => Opcode::EmptyTuple,
            b't' => Opcode::Tuple,
            0x85 => Opcode::Tuples(1),
            0x86 => Opcode::Tuples(2),
            0x87 => Opcode::Tuples(3),
            b']' => Opcode::EmptyList,
            b'a' => Opcode::Append,
            b'e' => Opcode::Appends,
            b'}' => Opcode::EmptyDict,
            b's' => Opcode::SetItem,
            b'u' => Opcode::SetItems,
            b'h' => Opcode::Get(u32::from(self.array::<1>()?[0])),
            b'j' => Opcode::Get(u32::from_le_bytes(self.array()?)),
            b'q' => Opcode::Put(u32::from(self.array::<1>()?[0])),
            b'r' => Opcode::Put(u32::from_le_bytes(self.array()?)),
            0x94 => Opcode::Memoize,
            b'c' => Opcode::Function { module: self.line()?, name: self.line()? },
            0x93 => Opcode::StackFunction,
            b'R' => Opcode::Reduce,
            b'b' => Opcode::Build,
            other => return Err(format!("has the instruction {other:#04x}, which pickles of CIFAR do not contain")),
        })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or("ends in the middle of an instruction")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// Bytes after their length, which has `N` bytes.
    fn text<const N: usize>(&mut self) -> Result<Opcode<'a>, String> {
        let mut length = [0; 8];
        length[..N].copy_from_slice(self.take(N)?);
        let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
        self.take(length).map(Opcode::Text)
    }

    /// A whole number in two's complement, after its length in bytes.
    fn long(&mut self) -> Result<Opcode<'a>, String> {
        let [length] = self.array()?;
        let digits = self.take(usize::from(length))?;
        let negative = digits.last().is_some_and(|digit| digit & 0x80 != 0);
        let mut bytes = if negative { [0xff; 8] } else { [0; 8] };
        let target = bytes.get_mut(..digits.len()).ok_or("has a number of more than eight bytes")?;
        target.copy_from_slice(digits);
        Ok(Opcode::Int(i64::from_le_bytes(bytes)))
    }

    /// A whole number as text. Protocol 0 writes Booleans as `00` and `01`.
    fn decimal(&mut self) -> Result<Opcode<'a>, String> {
        match self.line()? {
            b"00" => Ok(Opcode::Bool(false)),
            b"01" => Ok(Opcode::Bool(true)),
            digits => {
                let number = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
                number.map(Opcode::Int).ok_or_else(|| "has an invalid number".to_owned())
            }
        }
    }

    /// The bytes up to the end of the line.
    fn line(&mut self) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or("ends in the middle of an instruction")?;
        let line = self.take(length + 1)?;
        Ok(&line[..length])
    }
}
