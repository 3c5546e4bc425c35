//! The one array type of results and of values that interventions take: numbers, their shape, and the names of the axes.
//!
//! In JavaScript it is a `Tensor`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use candle_core::Tensor;
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::error::{Result, shortened};
use crate::wire::{FromValue, IntoValue, Node, TypeScript, Value, numbers, options};

/// Numbers with named axes, in row-major order: the last axis is contiguous.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NamedArray<T = f32> {
    /// The name of each axis; empty for an array whose axes have no names.
    pub axes: Vec<Cow<'static, str>>,
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
        Ok(NamedArray { axes: axis_names(axes), ..NamedArray::unnamed(tensor)? })
    }

    /// The numbers of a tensor whose axes have no names.
    pub fn unnamed(tensor: &Tensor) -> Result<NamedArray> {
        let data = tensor.flatten_all()?.to_vec1()?;
        Ok(NamedArray { shape: tensor.dims().to_vec(), data, ..NamedArray::default() })
    }

    /// The TypeScript type of an array that is read: a `Tensor` is one.
    pub(crate) fn typescript_input(_: &mut TypeScript) -> String {
        "{ readonly shape: readonly number[]; readonly data: ArrayLike<number>; readonly axes?: readonly string[] }".into()
    }
}

impl<T: Copy> NamedArray<T> {
    /// An array whose axes have no names. The number of values is not checked against the shape.
    pub fn from_data(shape: Vec<usize>, data: Vec<T>) -> NamedArray<T> {
        NamedArray { axes: Vec::new(), shape, data, labels: BTreeMap::new() }
    }

    /// Numbers along one axis.
    pub fn along(axis: &'static str, data: Vec<T>) -> NamedArray<T> {
        NamedArray { axes: axis_names(&[axis]), ..NamedArray::from_data(vec![data.len()], data) }
    }

    /// The number of values that the shape describes; `None` if it overflows `usize`.
    pub(crate) fn expected_length(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |product, length| product.checked_mul(*length))
    }

    /// The same numbers in the order of `axes`, for broadcasting by the last axes: those that the array lacks have length 1, and
    /// those before the first that it has are left out. None if the array has an axis that is not among them, or
    /// names that are not one for each length.
    pub(crate) fn in_order(&self, axes: &[&'static str]) -> Option<NamedArray<T>> {
        if self.axes.len() != self.shape.len() {
            return None;
        }
        let own: Vec<Option<usize>> =
            axes.iter().map(|axis| self.axes.iter().position(|own| own == axis)).collect();
        let first = own.iter().position(Option::is_some).unwrap_or(axes.len());
        let length = |axis: &Option<usize>| axis.map_or(1, |axis| self.shape[axis]);
        let shape = own[first..].iter().map(length).collect();
        let order: Vec<usize> = own.into_iter().flatten().collect();
        if order.len() != self.shape.len() {
            return None; // an axis that is not among them, or twice in the array
        }
        let data = if order.is_sorted() { self.data.clone() } else { self.transposed(&order) };
        Some(NamedArray { axes: axis_names(&axes[first..]), ..NamedArray::from_data(shape, data) })
    }

    /// The numbers with the axes in this order.
    fn transposed(&self, order: &[usize]) -> Vec<T> {
        let mut places = vec![0];
        for axis in order {
            let stride: usize = self.shape[axis + 1..].iter().product();
            let along = |start| (0..self.shape[*axis]).map(move |index| start + index * stride);
            places = places.into_iter().flat_map(along).collect();
        }
        places.into_iter().map(|place| self.data[place]).collect()
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

/// The names of axes.
pub(crate) fn axis_names(axes: &[&'static str]) -> Vec<Cow<'static, str>> {
    axes.iter().copied().map(Cow::Borrowed).collect()
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
    /// An array as it is read.
    pub struct Given {
        /// The length of each axis.
        pub shape: Vec<usize>,
        /// The numbers, in row-major order.
        pub data: Vec<f32>,
        /// The name of each axis.
        pub axes: Option<Vec<String>>,
    }
}

impl FromValue for NamedArray {
    fn from_value(node: Node) -> Result<NamedArray> {
        let Given { shape, data, axes } = Given::from_value(node)?;
        if let Some(axes) = axes.as_ref().filter(|axes| axes.len() != shape.len()) {
            let found = match axes.as_slice() {
                [] => "no axis".into(),
                _ => format!("the axes {}", shortened(&axes.join(", "))),
            };
            return Err(node.error(format!(
                "has {found} for shape {shape:?}, expected a name for each length"
            )));
        }
        let axes = axes.unwrap_or_default();
        let twice = (1..axes.len()).find(|axis| axes[..*axis].contains(&axes[*axis]));
        if let Some(axis) = twice {
            return Err(node.error(format!("has two axes called `{}`", shortened(&axes[axis]))));
        }
        let axes = axes.into_iter().map(Cow::Owned).collect();
        Ok(NamedArray { axes, ..NamedArray::from_data(shape, data) })
    }

    fn singular() -> String {
        Given::singular()
    }

    fn plural() -> String {
        Given::plural()
    }

    fn typescript(types: &mut TypeScript) -> String {
        NamedArray::typescript_input(types)
    }
}

/// The shape, the numbers and the names of the axes, from which the array can be read again.
impl Serialize for NamedArray {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let named = !self.axes.is_empty();
        let mut fields = serializer.serialize_struct("NamedArray", if named { 3 } else { 2 })?;
        fields.serialize_field("shape", &self.shape)?;
        fields.serialize_field("data", &Numbers(&self.data))?;
        if named {
            fields.serialize_field("axes", &self.axes)?;
        }
        fields.end()
    }
}

struct Numbers<'a>(&'a [f32]);

impl Serialize for Numbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        numbers::serialize(self.0, serializer)
    }
}
