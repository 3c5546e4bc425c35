//! The values of a pickle. They refer to each other by index.

use std::borrow::Cow;

use crate::error::shortened;

/// The longest pickle that is read.
pub(crate) const MAX_BYTES: usize = 64 << 20;

/// A pickle as plain values.
#[derive(Debug)]
pub(crate) struct Pickle {
    pub(super) nodes: Vec<Node>,
    pub(super) root: Id,
    pub(super) length: usize,
}

pub(super) type Id = u32;

#[derive(Debug)]
pub(super) enum Node {
    None,
    Bool(bool),
    Int(i64),
    /// A whole number that does not fit 64 bits, as little-endian bytes of its two's complement.
    Long(Box<[u8]>),
    Float(f64),
    Text(Box<str>),
    Bytes(Box<[u8]>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Box<str>),
    Object(Box<Call>),
    Persistent(Id),
}

/// A call that was not made.
#[derive(Debug)]
pub(super) struct Call {
    pub callable: Id,
    pub arguments: Id,
    pub state: Option<Id>,
    /// What would be appended to it.
    pub items: Vec<Id>,
    /// What would be stored under a key of it.
    pub entries: Vec<(Id, Id)>,
}

/// A value of a pickle.
#[derive(Clone, Copy)]
pub(crate) struct Item<'a> {
    pickle: &'a Pickle,
    id: Id,
}

/// What an [`Item`] is.
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// A whole number that does not fit 64 bits, as little-endian bytes of its two's complement.
    Long(&'a [u8]),
    Float(f64),
    Text(&'a str),
    Bytes,
    List,
    Tuple,
    Set,
    Dict,
    /// A function or class as `module.name`.
    Global(&'a str),
    /// A call that was not made.
    Object {
        /// What would be called, and with what.
        callable: Item<'a>,
        arguments: Item<'a>,
        /// The object's attributes.
        state: Option<Item<'a>>,
    },
    /// What the program that wrote the pickle stores elsewhere, such as a storage of PyTorch.
    Persistent(Item<'a>),
}

/// Why a pickle could not be read.
pub(super) enum Stop {
    CutShort,
    Malformed(String),
}

impl Pickle {
    /// The value that the pickle holds.
    pub fn root(&self) -> Item<'_> {
        Item { pickle: self, id: self.root }
    }

    /// Every value of the pickle, in the order in which they were made.
    pub fn items(&self) -> impl Iterator<Item = Item<'_>> {
        (0..self.nodes.len()).map(|id| Item { pickle: self, id: id as Id })
    }

    /// The bytes of the pickle, its end included.
    pub fn length(&self) -> usize {
        self.length
    }
}

impl<'a> Item<'a> {
    /// Identifies the value within its pickle: places that share one value have the same number.
    pub fn id(self) -> u32 {
        self.id
    }

    fn node(self) -> &'a Node {
        &self.pickle.nodes[self.id as usize]
    }

    fn other(self, id: Id) -> Item<'a> {
        Item { pickle: self.pickle, id }
    }

    /// The value, whose items and entries are read with [`Item::items`] and [`Item::entries`].
    pub fn value(self) -> Value<'a> {
        match self.node() {
            Node::None => Value::None,
            Node::Bool(flag) => Value::Bool(*flag),
            Node::Int(number) => Value::Int(*number),
            Node::Long(bytes) => Value::Long(bytes),
            Node::Float(number) => Value::Float(*number),
            Node::Text(text) => Value::Text(text),
            Node::Bytes(_) => Value::Bytes,
            Node::List(_) => Value::List,
            Node::Tuple(_) => Value::Tuple,
            Node::Set(_) => Value::Set,
            Node::Dict(_) => Value::Dict,
            Node::Global(name) => Value::Global(name),
            Node::Object(call) => Value::Object {
                callable: self.other(call.callable),
                arguments: self.other(call.arguments),
                state: call.state.map(|id| self.other(id)),
            },
            Node::Persistent(id) => Value::Persistent(self.other(*id)),
        }
    }

    /// The text, if this is a text.
    pub fn text(self) -> Option<&'a str> {
        match self.value() {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is a whole number of at most 64 bits.
    pub fn int(self) -> Option<i64> {
        match self.value() {
            Value::Int(number) => Some(number),
            _ => None,
        }
    }

    /// The items of a list, tuple or set, and what was appended to an object; None for other values.
    pub fn items(self) -> Option<impl ExactSizeIterator<Item = Item<'a>>> {
        let items = match self.node() {
            Node::List(items) | Node::Tuple(items) | Node::Set(items) => items,
            Node::Object(call) => &call.items,
            _ => return None,
        };
        Some(items.iter().map(move |id| self.other(*id)))
    }

    /// The keys and values of a dict, and what was stored under keys of an object, in the order in which they were
    /// stored; None for other values. Of equal keys, the last one counts.
    pub fn entries(self) -> Option<impl DoubleEndedIterator<Item = (Item<'a>, Item<'a>)>> {
        let entries = match self.node() {
            Node::Dict(entries) => entries,
            Node::Object(call) => &call.entries,
            _ => return None,
        };
        Some(entries.iter().map(move |(key, value)| (self.other(*key), self.other(*value))))
    }

    /// The value of a dict under this key.
    pub fn get(self, key: &str) -> Option<Item<'a>> {
        let mut entries = self.entries()?.rev();
        entries.find(|(found, _)| found.text() == Some(key)).map(|(_, value)| value)
    }

    /// The value in a few words, for a message.
    pub fn describe(self) -> Cow<'static, str> {
        match self.node() {
            Node::None => "None".into(),
            Node::Bool(flag) => if *flag { "True" } else { "False" }.into(),
            Node::Int(number) => number.to_string().into(),
            Node::Long(_) => "a whole number of more than 64 bits".into(),
            Node::Float(number) => format!("{number:?}").into(),
            Node::Text(text) => format!("the text \"{}\"", shortened(text)).into(),
            Node::Bytes(bytes) => format!("{} bytes", bytes.len()).into(),
            Node::List(items) => format!("a list of length {}", items.len()).into(),
            Node::Tuple(items) => format!("a tuple of length {}", items.len()).into(),
            Node::Set(items) => format!("a set of {} items", items.len()).into(),
            Node::Dict(entries) => format!("a dict with {} entries", entries.len()).into(),
            Node::Global(name) => format!("`{}`", shortened(name)).into(),
            Node::Object(call) => match self.other(call.callable).value() {
                Value::Global(name) => format!("an object made by `{}`", shortened(name)).into(),
                _ => "an object".into(),
            },
            Node::Persistent(_) => "a reference to a value that is stored elsewhere".into(),
        }
    }
}
