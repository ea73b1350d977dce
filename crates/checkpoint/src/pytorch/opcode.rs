//! Reads the instructions of a pickle one at a time. Numbers and texts are read only if all their bytes exist.

/// An instruction with its operand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Opcode<'a> {
    Proto(u8),
    Frame,
    Stop,
    Mark,
    Pop,
    PopMark,
    Dup,
    None,
    Bool(bool),
    Int(i64),
    /// A whole number of more than 8 bytes, little-endian.
    Large(&'a [u8]),
    /// A number or bytes that weights do not need, by the name of its type in Python.
    Other(&'static str),
    Text(&'a [u8]),
    EmptyTuple,
    Tuple,
    /// Builds a tuple of the topmost one, two or three objects.
    Tuples(usize),
    EmptyList,
    EmptyDict,
    EmptySet,
    FrozenSet,
    Append,
    Appends,
    AddItems,
    SetItem,
    SetItems,
    Get(u32),
    Put(u32),
    Memoize,
    Global {
        module: &'a [u8],
        name: &'a [u8],
    },
    StackGlobal,
    Persistent,
    Reduce,
    Build,
    /// Builds an object of the class that the operand names.
    Instance {
        module: &'a [u8],
        name: &'a [u8],
    },
    /// Builds an object of the class that is the first object after the mark.
    Obj,
    /// Builds an object of the class below its arguments, which are one or two objects.
    NewObj(usize),
}

/// The remaining bytes, and how many were read.
#[derive(Debug)]
pub(crate) struct Code<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// `None`: the bytes end within an instruction. `Some`: no instruction has this number.
#[derive(Debug, PartialEq)]
pub(crate) struct NoOpcode(pub Option<u8>);

const CUT: NoOpcode = NoOpcode(None);

impl<'a> Code<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Code { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn next(&mut self) -> Result<Opcode<'a>, NoOpcode> {
        let [byte] = self.array()?;
        Ok(match byte {
            0x80 => Opcode::Proto(self.array::<1>()?[0]),
            0x95 => {
                self.array::<8>()?;
                Opcode::Frame
            }
            b'.' => Opcode::Stop,
            b'(' => Opcode::Mark,
            b'0' => Opcode::Pop,
            b'1' => Opcode::PopMark,
            b'2' => Opcode::Dup,
            b'N' => Opcode::None,
            0x88 | 0x89 => Opcode::Bool(byte == 0x88),
            b'J' => Opcode::Int(i32::from_le_bytes(self.array()?).into()),
            b'K' => Opcode::Int(self.array::<1>()?[0].into()),
            b'M' => Opcode::Int(u16::from_le_bytes(self.array()?).into()),
            0x8a => {
                let length = self.array::<1>()?[0].into();
                long(self.take(length)?)
            }
            0x8b => long(self.counted::<4>()?),
            b'G' => {
                self.array::<8>()?;
                Opcode::Other("a float")
            }
            b'X' => Opcode::Text(self.counted::<4>()?),
            0x8c | b'U' => Opcode::Text(self.counted::<1>()?),
            0x8d => Opcode::Text(self.counted::<8>()?),
            b'T' => Opcode::Text(self.counted::<4>()?),
            b'C' => self.counted::<1>().map(|_| Opcode::Other("bytes"))?,
            b'B' => self.counted::<4>().map(|_| Opcode::Other("bytes"))?,
            0x8e => self.counted::<8>().map(|_| Opcode::Other("bytes"))?,
            0x96 => self.counted::<8>().map(|_| Opcode::Other("a bytearray"))?,
            b')' => Opcode::EmptyTuple,
            b't' => Opcode::Tuple,
            0x85..=0x87 => Opcode::Tuples(usize::from(byte - 0x84)),
            b']' => Opcode::EmptyList,
            b'}' => Opcode::EmptyDict,
            0x8f => Opcode::EmptySet,
            0x91 => Opcode::FrozenSet,
            b'a' => Opcode::Append,
            b'e' => Opcode::Appends,
            0x90 => Opcode::AddItems,
            b's' => Opcode::SetItem,
            b'u' => Opcode::SetItems,
            b'h' => Opcode::Get(self.array::<1>()?[0].into()),
            b'j' => Opcode::Get(u32::from_le_bytes(self.array()?)),
            b'q' => Opcode::Put(self.array::<1>()?[0].into()),
            b'r' => Opcode::Put(u32::from_le_bytes(self.array()?)),
            0x94 => Opcode::Memoize,
            b'c' => Opcode::Global { module: self.line()?, name: self.line()? },
            0x93 => Opcode::StackGlobal,
            b'Q' => Opcode::Persistent,
            b'R' => Opcode::Reduce,
            b'b' => Opcode::Build,
            b'i' => Opcode::Instance { module: self.line()?, name: self.line()? },
            b'o' => Opcode::Obj,
            0x81 => Opcode::NewObj(1),
            0x92 => Opcode::NewObj(2),
            other => return Err(NoOpcode(Some(other))),
        })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], NoOpcode> {
        let (taken, left) = self.bytes.split_at_checked(length).ok_or(CUT)?;
        self.bytes = left;
        self.at += length;
        Ok(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], NoOpcode> {
        let (taken, left) = self.bytes.split_first_chunk().ok_or(CUT)?;
        self.bytes = left;
        self.at += LENGTH;
        Ok(*taken)
    }

    /// Bytes that follow their count. The count is `WIDTH` bytes wide.
    fn counted<const WIDTH: usize>(&mut self) -> Result<&'a [u8], NoOpcode> {
        let mut count = [0; 8];
        count[..WIDTH].copy_from_slice(&self.array::<WIDTH>()?);
        self.take(usize::try_from(u64::from_le_bytes(count)).map_err(|_| CUT)?)
    }

    /// Bytes up to a line feed. Consumes the line feed, too.
    fn line(&mut self) -> Result<&'a [u8], NoOpcode> {
        let end = self.bytes.iter().position(|byte| *byte == b'\n').ok_or(CUT)?;
        let line = self.take(end)?;
        self.take(1)?;
        Ok(line)
    }
}

/// An integer of any width, with the sign in the highest bit.
fn long(bytes: &[u8]) -> Opcode<'_> {
    if bytes.len() > 8 {
        return Opcode::Large(bytes);
    }
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut eight = if negative { [0xff; 8] } else { [0; 8] };
    eight[..bytes.len()].copy_from_slice(bytes);
    Opcode::Int(i64::from_le_bytes(eight))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bytes: &[u8]) -> Result<Opcode<'_>, NoOpcode> {
        Code::new(bytes).next()
    }

    #[test]
    fn numbers_are_those_of_python() {
        // pickle.dumps(n, 2) for 255, 256, -1, 2**31, -2**31 - 1, 2**63, and LONG1 of no bytes, which is 0.
        assert_eq!(first(b"K\xff."), Ok(Opcode::Int(255)));
        assert_eq!(first(b"M\x00\x01."), Ok(Opcode::Int(256)));
        assert_eq!(first(b"J\xff\xff\xff\xff."), Ok(Opcode::Int(-1)));
        assert_eq!(first(b"\x8a\x05\0\0\0\x80\0."), Ok(Opcode::Int(1 << 31)));
        assert_eq!(first(b"\x8a\x05\xff\xff\xff\x7f\xff."), Ok(Opcode::Int(-(1 << 31) - 1)));
        assert_eq!(first(b"\x8a\x09\0\0\0\0\0\0\0\x80\0."), Ok(Opcode::Large(b"\0\0\0\0\0\0\0\x80\0")));
        assert_eq!(first(b"\x8a\0."), Ok(Opcode::Int(0)));
    }

    #[test]
    fn what_is_not_there_is_not_taken() {
        for cut in [&b""[..], b"X\x05\0\0\0abcd", b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff", b"cos\nsystem", b"\x95\0"] {
            assert_eq!(first(cut), Err(CUT), "{cut:?}");
        }
        assert_eq!(first(b"\x82"), Err(NoOpcode(Some(0x82))));
    }
}
