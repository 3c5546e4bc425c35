//! Tensors whose elements are not in row-major order, such as a transposed view in a PyTorch file or a NumPy array in
//! Fortran order.
//!
//! The output is made in windows. Each window takes its elements in the order in which they are stored, so that every
//! piece of the storage is read once for each window.

use super::super::stored::RandomAccess;
use super::source::{ByteOrder, PIECE, Source};
use crate::error::Result;

/// The bytes of the output that are collected at once. A token embedding of GPT-2 takes ten windows, any other tensor one.
const WINDOW: usize = 16 << 20;
/// The bytes of the storage that are read at once.
const PAGE: u64 = 1 << 20;

/// The shape of a tensor and the distances of its elements in its storage, in elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Strides {
    pub shape: Vec<u64>,
    pub strides: Vec<u64>,
    /// The first element's place in the storage.
    pub offset: u64,
}

impl Strides {
    /// A contiguous array in Fortran order, whose first axis is contiguous.
    pub fn fortran(shape: &[u64]) -> Option<Strides> {
        let mut next = 1u64;
        let stride = |length: &u64| {
            let stride = next;
            next = next.checked_mul((*length).max(1))?;
            Some(stride)
        };
        let strides = shape.iter().map(stride).collect::<Option<_>>()?;
        Some(Strides { shape: shape.to_vec(), strides, offset: 0 })
    }

    /// The number of elements, unless it overflows.
    pub fn count(&self) -> Option<u64> {
        self.shape.iter().try_fold(1u64, |product, length| product.checked_mul(*length))
    }

    /// The number of elements that the storage must have, unless it overflows.
    pub fn needed(&self) -> Option<u64> {
        if self.count()? == 0 {
            return Some(0);
        }
        let last = self
            .shape
            .iter()
            .zip(&self.strides)
            .try_fold(self.offset, |place, (length, stride)| {
                place.checked_add((length - 1).checked_mul(*stride)?)
            })?;
        last.checked_add(1)
    }

    /// Whether the elements are in row-major order and without gaps.
    pub fn is_row_major(&self) -> bool {
        let mut next = 1u64;
        self.shape.iter().zip(&self.strides).rev().all(|(length, stride)| {
            let fits = *length <= 1 || *stride == next;
            next = next.saturating_mul((*length).max(1));
            fits
        })
    }
}

/// Delivers the elements in row-major order. `strides` was checked: it stays within the source.
pub(super) async fn read<F: RandomAccess + ?Sized>(
    source: &mut Source<'_, F>,
    size: usize,
    order: ByteOrder,
    strides: &Strides,
    deliver: &mut impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let count = strides.count().unwrap_or(0);
    if count == 0 {
        return Ok(());
    }
    // The axes from `split` on fit into a window, and so do `rows` steps of the axis before.
    let max = (WINDOW / size) as u64;
    let mut split = strides.shape.len();
    let mut inner = 1;
    while split > 0 && inner * strides.shape[split - 1] <= max {
        split -= 1;
        inner *= strides.shape[split];
    }
    let rows = max / inner;
    let mut reader = Reader { source, page: Vec::new(), start: 0 };
    let mut outer = vec![0; split];
    loop {
        let offset: u64 = strides.offset
            + outer.iter().zip(&strides.strides).map(|(at, stride)| at * stride).sum::<u64>();
        let (first, step) = match split.checked_sub(1) {
            Some(axis) => (rows.min(strides.shape[axis] - outer[axis]), rows),
            None => (1, 1),
        };
        let mut axes: Vec<Axis> = Vec::new();
        let mut target = 1;
        for axis in (split.saturating_sub(1)..strides.shape.len()).rev() {
            let length = if axis + 1 == split { first } else { strides.shape[axis] };
            axes.push(Axis { length, from: strides.strides[axis], to: target });
            target *= length;
        }
        let mut window = vec![0; target as usize * size];
        gather(&mut reader, offset, axes, size, &mut window).await?;
        order.to_little(&mut window, size);
        window.chunks(PIECE / size * size).try_for_each(&mut *deliver)?;
        if !advance(&mut outer, &strides.shape, step) {
            return Ok(());
        }
    }
}

/// Advances the index of the outer axes; the last of them by `step`. Returns false at the end.
fn advance(index: &mut [u64], shape: &[u64], step: u64) -> bool {
    let last = index.len();
    for axis in (0..last).rev() {
        index[axis] += if axis + 1 == last { step } else { 1 };
        if index[axis] < shape[axis] {
            return true;
        }
        index[axis] = 0;
    }
    false
}

/// An axis of a window: its strides in the storage and in the window.
#[derive(Clone, Copy)]
struct Axis {
    length: u64,
    from: u64,
    to: u64,
}

async fn gather<F: RandomAccess + ?Sized>(
    reader: &mut Reader<'_, '_, F>,
    offset: u64,
    mut axes: Vec<Axis>,
    size: usize,
    window: &mut [u8],
) -> Result<()> {
    // In the order of the storage: the axis with the smallest stride varies fastest.
    axes.sort_by_key(|axis| std::cmp::Reverse(axis.from));
    let run = axes.pop().unwrap_or(Axis { length: 1, from: 1, to: 1 });
    let mut index = vec![0; axes.len()];
    loop {
        let place = |stride: fn(&Axis) -> u64| {
            axes.iter().zip(&index).map(|(axis, at)| stride(axis) * at).sum::<u64>()
        };
        let (mut from, mut to) = (offset + place(|axis| axis.from), place(|axis| axis.to));
        for _ in 0..run.length {
            let start = to as usize * size;
            let place = from * size as u64;
            if !reader.holds(place, size) {
                reader.turn_to(place).await?;
            }
            window[start..start + size].copy_from_slice(reader.element(place, size));
            from += run.from;
            to += run.to;
        }
        let shape: Vec<u64> = axes.iter().map(|axis| axis.length).collect();
        if !advance(&mut index, &shape, 1) {
            return Ok(());
        }
    }
}

/// The page of the storage that was read last.
struct Reader<'a, 's, F: ?Sized> {
    source: &'a mut Source<'s, F>,
    page: Vec<u8>,
    start: u64,
}

impl<F: RandomAccess + ?Sized> Reader<'_, '_, F> {
    fn holds(&self, place: u64, size: usize) -> bool {
        place >= self.start && place + size as u64 <= self.start + self.page.len() as u64
    }

    /// Reads the page of this place. Elements do not cross the ends of pages: their sizes are powers of two.
    async fn turn_to(&mut self, place: u64) -> Result<()> {
        self.start = place / PAGE * PAGE;
        let end = self.source.length().min(self.start + PAGE);
        self.page = self.source.read(self.start..end).await?;
        Ok(())
    }

    fn element(&self, place: u64, size: usize) -> &[u8] {
        let from = (place - self.start) as usize;
        &self.page[from..from + size]
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::super::source::Bytes;
    use super::*;

    fn elements(storage: &[u8], strides: &Strides) -> Vec<u32> {
        let mut found = Vec::new();
        let mut deliver = |piece: &[u8]| {
            assert!(piece.len() <= PIECE && piece.len().is_multiple_of(4));
            found.extend(piece.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)));
            Ok(())
        };
        let future = async {
            let bytes = Bytes::Range(0..storage.len() as u64);
            let mut source = Source::open(&bytes, storage).await?;
            read(&mut source, 4, ByteOrder::Little, strides, &mut deliver).await
        };
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result.unwrap(),
            Poll::Pending => unreachable!("the storage is in memory"),
        }
        found
    }

    /// Element by element, without windows.
    fn expected(strides: &Strides) -> Vec<u32> {
        let mut index = vec![0; strides.shape.len()];
        let mut places = Vec::new();
        loop {
            let steps = index.iter().zip(&strides.strides).map(|(at, stride)| at * stride);
            places.push((strides.offset + steps.sum::<u64>()) as u32);
            if !advance(&mut index, &strides.shape, 1) {
                return places;
            }
        }
    }

    #[test]
    fn tensors_of_several_windows_are_read_in_row_major_order() {
        // Each element of the storage is its own place. 36 MB are three windows.
        let count: u32 = 9_000_000;
        let storage: Vec<u8> = (0..count).flat_map(u32::to_le_bytes).collect();
        let cases = [
            (vec![3000, 3000], vec![1, 3000], 0),
            (vec![2, 4_400_000], vec![1, 2], 7), // a row is longer than a window
            (vec![3, 10, 300_000], vec![1, 900_000, 3], 0),
            (vec![1000, 3, 1000], vec![3, 0, 3001], 5), // expanded
            (vec![4_500_000], vec![2], 1),
        ];
        for (shape, strides, offset) in cases {
            let strides = Strides { shape, strides, offset };
            assert!(strides.needed().unwrap() <= count.into() && !strides.is_row_major());
            assert!(elements(&storage, &strides) == expected(&strides), "{strides:?}");
        }
    }
}
