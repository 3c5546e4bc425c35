//! The one array type of results and of values that interventions take: numbers, their shape, and the names of the axes.
//!
//! In JavaScript it is a `Tensor`.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::error::Result;
use crate::wire::{FromValue, IntoValue, Node, TypeScript, Value, numbers, options};

/// Numbers with named axes, in row-major order: the last axis is contiguous.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NamedArray<T = f32> {
    /// The name of each axis; empty for an array whose axes have no names.
    pub axes: Vec<&'static str>,
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// The numbers.
    pub data: Vec<T>,
    /// By axis, the label of each index, such as the components of an attribution. Axes without labels are absent.
    pub labels: BTreeMap<&'static str, Vec<String>>,
}

impl NamedArray {
    /// The numbers of a tensor.
    ///
    /// # Panics
    /// If the number of axes is not the rank of the tensor, which is a bug of the caller.
    pub fn new(axes: &[&'static str], tensor: &Tensor) -> Result<NamedArray> {
        assert_eq!(axes.len(), tensor.rank(), "one name for each axis of {:?}", tensor.shape());
        Ok(NamedArray { axes: axes.to_vec(), ..NamedArray::unnamed(tensor)? })
    }

    /// The numbers of a tensor whose axes have no names.
    pub fn unnamed(tensor: &Tensor) -> Result<NamedArray> {
        let data = tensor.flatten_all()?.to_vec1()?;
        Ok(NamedArray { shape: tensor.dims().to_vec(), data, ..NamedArray::default() })
    }

    /// The TypeScript type of an array that is read: a `Tensor` is one.
    pub(crate) fn typescript_input(_: &mut TypeScript) -> String {
        "{ readonly shape: readonly number[]; readonly data: ArrayLike<number> }".into()
    }
}

impl<T: Copy> NamedArray<T> {
    /// An array whose axes have no names. The number of values is not checked against the shape.
    pub fn from_data(shape: Vec<usize>, data: Vec<T>) -> NamedArray<T> {
        NamedArray { axes: Vec::new(), shape, data, labels: BTreeMap::new() }
    }

    /// Numbers along one axis.
    pub fn along(axis: &'static str, data: Vec<T>) -> NamedArray<T> {
        NamedArray { axes: vec![axis], ..NamedArray::from_data(vec![data.len()], data) }
    }

    /// The number of values that the shape describes; `None` if it overflows `usize`.
    pub(crate) fn expected_length(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |product, length| product.checked_mul(*length))
    }

    /// The array with labels along `axis`, one for each index.
    pub fn labelled(mut self, axis: &'static str, labels: Vec<String>) -> NamedArray<T> {
        self.labels.insert(axis, labels);
        self
    }

    /// The number at `index`, one coordinate for each axis.
    pub fn at(&self, index: &[usize]) -> T {
        self.data
            [index.iter().zip(&self.shape).fold(0, |flat, (index, length)| flat * length + index)]
    }
}

/// Token ids, or other whole numbers that name something. In JavaScript it is a `Tensor` whose numbers are a `Uint32Array`.
pub type NamedIds = NamedArray<u32>;

/// The id that stands for no token, where logits are not finite. No vocabulary has it.
pub const NO_TOKEN: u32 = u32::MAX;

impl<T> NamedArray<T> {
    fn with_data(self, data: impl FnOnce(Vec<T>) -> Value) -> Value {
        let fields = [
            ("data", data(self.data)),
            ("shape", self.shape.into_value()),
            ("axes", self.axes.into_value()),
            ("labels", self.labels.into_value()),
        ];
        Value::Object(fields.map(|(name, value)| (name.into(), value)).into())
    }
}

impl IntoValue for NamedArray {
    fn into_value(self) -> Value {
        self.with_data(Value::Floats)
    }

    fn typescript(types: &mut TypeScript) -> String {
        types.import("./tensor.js", "Tensor")
    }
}

impl IntoValue for NamedIds {
    fn into_value(self) -> Value {
        self.with_data(Value::Ids)
    }

    fn typescript(types: &mut TypeScript) -> String {
        format!("{}<Uint32Array>", types.import("./tensor.js", "Tensor"))
    }
}

options! {
    /// An array as it is read: its axes have no names.
    pub struct Unnamed {
        /// The length of each axis.
        pub shape: Vec<usize>,
        /// The numbers, in row-major order.
        pub data: Vec<f32>,
    }
}

impl FromValue for NamedArray {
    fn from_value(node: Node) -> Result<NamedArray> {
        let Unnamed { shape, data } = Unnamed::from_value(node)?;
        Ok(NamedArray::from_data(shape, data))
    }

    fn singular() -> String {
        Unnamed::singular()
    }

    fn plural() -> String {
        Unnamed::plural()
    }

    fn typescript(types: &mut TypeScript) -> String {
        NamedArray::typescript_input(types)
    }
}

/// The shape and the numbers, from which the array can be read again.
impl Serialize for NamedArray {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("NamedArray", 2)?;
        fields.serialize_field("shape", &self.shape)?;
        fields.serialize_field("data", &Numbers(&self.data))?;
        fields.end()
    }
}

struct Numbers<'a>(&'a [f32]);

impl Serialize for Numbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        numbers::serialize(self.0, serializer)
    }
}

/// A tensor. The number of values must be the product of the shape.
impl FromValue for Tensor {
    fn from_value(node: Node) -> Result<Tensor> {
        let array = NamedArray::from_value(node)?;
        let count = array.expected_length();
        let NamedArray { shape, data, .. } = array;
        if Some(data.len()) != count {
            let found = data.len();
            let expected = count.map_or("more".into(), |count| count.to_string());
            return Err(node.error(format!(
                "has {found} values, expected {expected} for its shape {shape:?}"
            )));
        }
        Ok(Tensor::from_vec(data, shape, &Device::Cpu)?)
    }

    fn singular() -> String {
        Unnamed::singular()
    }

    fn typescript(types: &mut TypeScript) -> String {
        NamedArray::typescript_input(types)
    }
}
