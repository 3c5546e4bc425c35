//! The stack machine of pickles. The instructions are those of Python's `pickletools`.

use std::collections::BTreeMap;

use super::value::{Call, Id, MAX_BYTES, Node, Pickle, Stop};
use crate::error::shortened;

/// Values of one pickle. A value takes at least one byte of the pickle, and about 40 bytes of memory.
const MAX_NODES: usize = 2 << 20;

/// Runs the machine until its pickle ends.
pub(super) fn run(bytes: &[u8]) -> Result<Pickle, Stop> {
    let mut machine = Machine { input: Input { bytes, position: 0 }, ..Machine::default() };
    loop {
        if machine.input.position > MAX_BYTES {
            return Err(malformed(format!("the pickle has more than {MAX_BYTES} bytes")));
        }
        let code = machine.input.byte()?;
        if code == b'.' {
            let root = machine.pop()?;
            let length = machine.input.position;
            return Ok(Pickle { nodes: machine.nodes, root, length });
        }
        machine.step(code)?;
    }
}

#[derive(Default)]
struct Machine<'a> {
    input: Input<'a>,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// The heights of the stack at the marks that are open.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

impl Machine<'_> {
    fn step(&mut self, code: u8) -> Result<(), Stop> {
        match code {
            0x80 => self.protocol()?,
            0x95 => drop(self.input.array::<8>()?), // a frame: its length is of no use here
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'2' => self.stack.push(self.top()?),
            b'N' => self.push(Node::None)?,
            0x88 => self.push(Node::Bool(true))?,
            0x89 => self.push(Node::Bool(false))?,
            b'K' | b'M' | b'J' | 0x8A | 0x8B => {
                let number = self.number(code)?;
                self.push(number)?;
            }
            b'G' => {
                let number = f64::from_be_bytes(self.input.array()?);
                self.push(Node::Float(number))?;
            }
            0x8C | b'X' | 0x8D => {
                let text = self.text(code)?;
                self.push(Node::Text(text))?;
            }
            b'U' | b'T' => self.old_string(code)?,
            b'C' | b'B' | 0x8E | 0x96 => {
                let length = match code {
                    b'C' => self.input.length::<1>()?,
                    b'B' => self.input.length::<4>()?,
                    _ => self.input.length::<8>()?,
                };
                let bytes = self.input.take(length)?.into();
                self.push(Node::Bytes(bytes))?;
            }
            b']' => self.push(Node::List(Vec::new()))?,
            b')' => self.push(Node::Tuple(Vec::new()))?,
            b'}' => self.push(Node::Dict(Vec::new()))?,
            0x8F => self.push(Node::Set(Vec::new()))?,
            b'l' => self.collect(Node::List)?,
            b't' => self.collect(Node::Tuple)?,
            0x91 => self.collect(Node::Set)?,
            b'd' => {
                let entries = pairs(self.pop_mark()?)?;
                self.push(Node::Dict(entries))?;
            }
            0x85..=0x87 => {
                let start = self.height_below(usize::from(code - 0x84))?;
                let items = self.stack.split_off(start);
                self.push(Node::Tuple(items))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.append(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.store(vec![(key, value)])?;
            }
            b'u' => {
                let entries = pairs(self.pop_mark()?)?;
                self.store(entries)?;
            }
            b'q' | b'r' | 0x94 => self.memorize(code)?,
            b'h' | b'j' => self.recall(code)?,
            b'c' | 0x93 => self.global(code)?,
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                let callable = self.pop()?;
                self.call(callable, arguments)?;
            }
            0x92 => {
                let _keywords = self.pop()?;
                let arguments = self.pop()?;
                let callable = self.pop()?;
                self.call(callable, arguments)?;
            }
            b'b' => self.build()?,
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))?;
            }
            0x98 => {} // a read-only buffer is read like any other
            0x82..=0x84 => return Err(unsupported("a class by number (copyreg's extensions)")),
            0x97 => return Err(unsupported("buffers outside the pickle")),
            b'I' | b'L' | b'F' | b'S' | b'V' | b'p' | b'g' | b'i' | b'o' | b'P' => {
                return Err(malformed(
                    "the pickle has protocol 0 or 1, expected 2 or later; save it again with Python 3".into(),
                ));
            }
            other => {
                let place = self.input.position - 1;
                return Err(malformed(format!(
                    "not a pickle: byte {place} is {other:#04x}, which is no instruction"
                )));
            }
        }
        Ok(())
    }

    fn protocol(&mut self) -> Result<(), Stop> {
        match self.input.byte()? {
            2..=5 => Ok(()),
            found => {
                Err(malformed(format!("the pickle has protocol {found}, expected one from 2 to 5")))
            }
        }
    }

    fn number(&mut self, code: u8) -> Result<Node, Stop> {
        let length = match code {
            b'K' => return Ok(Node::Int(self.input.byte()?.into())),
            b'M' => return Ok(Node::Int(u16::from_le_bytes(self.input.array()?).into())),
            b'J' => return Ok(Node::Int(i32::from_le_bytes(self.input.array()?).into())),
            0x8A => self.input.length::<1>()?,
            _ => self.input.length::<4>()?,
        };
        let bytes = self.input.take(length)?;
        if bytes.len() > 8 {
            return Ok(Node::Long(bytes.into()));
        }
        let is_negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let mut whole = [if is_negative { 0xFF } else { 0 }; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        Ok(Node::Int(i64::from_le_bytes(whole)))
    }

    fn text(&mut self, code: u8) -> Result<Box<str>, Stop> {
        let length = match code {
            0x8C => self.input.length::<1>()?,
            b'X' => self.input.length::<4>()?,
            _ => self.input.length::<8>()?,
        };
        let place = self.input.position;
        let bytes = self.input.take(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.into()),
            Err(_) => {
                Err(malformed(format!("the text at byte {place} of the pickle is not UTF-8")))
            }
        }
    }

    /// A string of Python 2: text if it is UTF-8, else bytes.
    fn old_string(&mut self, code: u8) -> Result<(), Stop> {
        let length = match code {
            b'U' => self.input.length::<1>()?,
            _ => self.input.length::<4>()?,
        };
        let bytes = self.input.take(length)?;
        self.push(match std::str::from_utf8(bytes) {
            Ok(text) => Node::Text(text.into()),
            Err(_) => Node::Bytes(bytes.into()),
        })
    }

    fn push(&mut self, node: Node) -> Result<(), Stop> {
        if self.nodes.len() >= MAX_NODES {
            return Err(malformed(format!("the pickle has more than {MAX_NODES} values")));
        }
        self.stack.push(self.nodes.len() as Id);
        self.nodes.push(node);
        Ok(())
    }

    /// The lowest height of the stack that instructions may reach now.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn height_below(&self, count: usize) -> Result<usize, Stop> {
        match self.stack.len().checked_sub(count).filter(|height| *height >= self.floor()) {
            Some(height) => Ok(height),
            None => Err(self.underflow()),
        }
    }

    fn underflow(&self) -> Stop {
        let place = self.input.position - 1;
        malformed(format!(
            "the pickle is damaged: its instruction before byte {place} lacks a value"
        ))
    }

    fn top(&self) -> Result<Id, Stop> {
        Ok(self.stack[self.height_below(1)?])
    }

    fn pop(&mut self) -> Result<Id, Stop> {
        self.height_below(1)?;
        self.stack.pop().ok_or_else(|| self.underflow())
    }

    /// The values since the last mark.
    fn pop_mark(&mut self) -> Result<Vec<Id>, Stop> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => Err(self.underflow()),
        }
    }

    fn collect(&mut self, node: fn(Vec<Id>) -> Node) -> Result<(), Stop> {
        let items = self.pop_mark()?;
        self.push(node(items))
    }

    fn append(&mut self, mut new: Vec<Id>) -> Result<(), Stop> {
        let top = self.top()?;
        match &mut self.nodes[top as usize] {
            Node::List(items) | Node::Set(items) => items.append(&mut new),
            Node::Object(call) => call.items.append(&mut new),
            _ => return Err(malformed("the pickle appends to a value that is no list".into())),
        }
        Ok(())
    }

    fn store(&mut self, mut new: Vec<(Id, Id)>) -> Result<(), Stop> {
        let top = self.top()?;
        match &mut self.nodes[top as usize] {
            Node::Dict(entries) => entries.append(&mut new),
            Node::Object(call) => call.entries.append(&mut new),
            _ => {
                return Err(malformed("the pickle stores a key in a value that is no dict".into()));
            }
        }
        Ok(())
    }

    fn memorize(&mut self, code: u8) -> Result<(), Stop> {
        let place = match code {
            b'q' => self.input.byte()?.into(),
            b'r' => u32::from_le_bytes(self.input.array()?),
            _ => self.memo.len() as u32,
        };
        let top = self.top()?;
        self.memo.insert(place, top);
        Ok(())
    }

    fn recall(&mut self, code: u8) -> Result<(), Stop> {
        let place = match code {
            b'h' => self.input.byte()?.into(),
            _ => u32::from_le_bytes(self.input.array()?),
        };
        match self.memo.get(&place) {
            Some(id) => self.stack.push(*id),
            None => {
                return Err(malformed(format!(
                    "the pickle is damaged: it recalls value {place} before it is stored"
                )));
            }
        }
        Ok(())
    }

    fn global(&mut self, code: u8) -> Result<(), Stop> {
        let name = if code == b'c' {
            let module = self.input.line()?;
            let name = self.input.line()?;
            format!("{module}.{name}")
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            match (&self.nodes[module as usize], &self.nodes[name as usize]) {
                (Node::Text(module), Node::Text(name)) => format!("{module}.{name}"),
                _ => return Err(malformed("the pickle names a function that is no text".into())),
            }
        };
        self.push(Node::Global(name.into()))
    }

    /// Notes the call, or builds the container if that is what is called.
    fn call(&mut self, callable: Id, arguments: Id) -> Result<(), Stop> {
        let node = self.container(callable, arguments).unwrap_or_else(|| {
            let (items, entries) = Default::default();
            Node::Object(Box::new(Call { callable, arguments, state: None, items, entries }))
        });
        self.push(node)
    }

    fn container(&self, callable: Id, arguments: Id) -> Option<Node> {
        let Node::Global(name) = &self.nodes[callable as usize] else { return None };
        let Node::Tuple(arguments) = &self.nodes[arguments as usize] else { return None };
        let first = arguments.first().map(|id| &self.nodes[*id as usize]);
        match (&**name, first) {
            ("collections.OrderedDict" | "builtins.dict" | "__builtin__.dict", None)
            | ("collections.defaultdict", _) => Some(Node::Dict(Vec::new())),
            ("collections.OrderedDict", Some(Node::List(pairs))) => {
                let pair = |id: &Id| match &self.nodes[*id as usize] {
                    Node::List(pair) | Node::Tuple(pair) => match pair.as_slice() {
                        [key, value] => Some((*key, *value)),
                        _ => None,
                    },
                    _ => None,
                };
                pairs.iter().map(pair).collect::<Option<_>>().map(Node::Dict)
            }
            (
                "builtins.set" | "__builtin__.set" | "builtins.frozenset" | "__builtin__.frozenset",
                None | Some(Node::List(_)),
            ) => Some(Node::Set(items_of(first))),
            ("torch.Size" | "builtins.tuple", Some(Node::Tuple(_) | Node::List(_))) => {
                Some(Node::Tuple(items_of(first)))
            }
            // The bytes of Python 3 in a pickle of protocol 2.
            ("_codecs.encode", Some(Node::Text(text))) => {
                let byte = |letter: char| u8::try_from(u32::from(letter)).ok();
                text.chars().map(byte).collect::<Option<_>>().map(Node::Bytes)
            }
            ("builtins.bytes" | "__builtin__.bytes", None) => Some(Node::Bytes(Box::default())),
            _ => None,
        }
    }

    /// Sets the attributes of an object. Those of a container, such as `_metadata` of a state dict, are dropped.
    fn build(&mut self) -> Result<(), Stop> {
        let state = self.pop()?;
        let top = self.top()?;
        match &mut self.nodes[top as usize] {
            Node::Object(call) => call.state = Some(state),
            Node::Dict(_) | Node::List(_) | Node::Set(_) => {}
            _ => {
                return Err(malformed(
                    "the pickle sets attributes of a value that has none".into(),
                ));
            }
        }
        Ok(())
    }
}

fn items_of(node: Option<&Node>) -> Vec<Id> {
    match node {
        Some(Node::List(items) | Node::Tuple(items)) => items.clone(),
        _ => Vec::new(),
    }
}

fn pairs(ids: Vec<Id>) -> Result<Vec<(Id, Id)>, Stop> {
    match ids.as_chunks::<2>() {
        (pairs, []) => Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect()),
        _ => Err(malformed("the pickle is damaged: a key of a dict has no value".into())),
    }
}

#[derive(Default)]
struct Input<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let end = self.position.checked_add(length).ok_or(Stop::CutShort)?;
        let taken = self.bytes.get(self.position..end).ok_or(Stop::CutShort)?;
        self.position = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        self.take(N)?.try_into().map_err(|_| Stop::CutShort)
    }

    /// A length of `N` bytes.
    fn length<const N: usize>(&mut self) -> Result<usize, Stop> {
        let mut whole = [0; 8];
        whole[..N].copy_from_slice(self.take(N)?);
        let length = u64::from_le_bytes(whole);
        match usize::try_from(length) {
            Ok(length) if length <= MAX_BYTES => Ok(length),
            _ => Err(malformed(format!(
                "a value of the pickle has {length} bytes, expected at most {MAX_BYTES}"
            ))),
        }
    }

    fn line(&mut self) -> Result<&'a str, Stop> {
        let rest = &self.bytes[self.position..];
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or(Stop::CutShort)?;
        let line = self.take(length + 1)?;
        std::str::from_utf8(&line[..length])
            .map_err(|_| malformed("the name of a function in the pickle is not UTF-8".into()))
    }
}

fn unsupported(what: &str) -> Stop {
    malformed(format!("the pickle has {}, which is not supported", shortened(what)))
}

fn malformed(reason: String) -> Stop {
    Stop::Malformed(reason)
}
