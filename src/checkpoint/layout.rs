//! How the elements of a stored tensor are placed in a parameter: as they are, transposed, or as one part of several.

/// Which part of a parameter a stored tensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Piece {
    Whole,
    /// The first third of the columns of `c_attn`.
    Query,
    Key,
    Value,
}

/// The order of a stored tensor's axes, compared with the rows and columns of its piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Rows first. Rows or columns may be split into head and channel.
    Same,
    /// Columns first: the `[out, in]` of `nn.Linear`, where the parameter is `[in, out]`.
    Transposed,
    /// `[head, row, channel]`, where the parameter is `[row, head * channel]`.
    HeadFirst,
}

/// Where each element of a stored tensor is in a parameter in row-major order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placement {
    /// Whether the tensor is the parameter in its own order.
    pub order: Order,
    /// The place of the first element.
    pub offset: usize,
    /// For each stored axis its length and how far apart its elements are in the parameter.
    pub axes: Vec<[usize; 2]>,
}

/// How a stored tensor reaches its parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Directly.
    Same,
    /// Directly, with flipped axes: for a matrix.
    Transposed,
    /// Through a copy of the parameter in memory.
    Scattered,
}

impl Piece {
    /// How many pieces the parameter consists of.
    pub fn count(self) -> usize {
        if self == Piece::Whole { 1 } else { 3 }
    }

    fn index(self) -> usize {
        match self {
            Piece::Whole | Piece::Query => 0,
            Piece::Key => 1,
            Piece::Value => 2,
        }
    }
}

/// The rows and columns of a piece. A vector has one row.
pub(super) fn rows_and_columns(shape: &[usize], piece: Piece) -> [usize; 2] {
    match shape {
        [rows, columns] => [*rows, columns / piece.count()],
        _ => [1, shape.iter().product::<usize>() / piece.count()],
    }
}

/// The shape that a stored tensor should have, for messages. `heads` is the number of heads.
pub(super) fn stored_shape(
    shape: &[usize],
    piece: Piece,
    layout: Layout,
    heads: usize,
) -> Vec<u64> {
    let [rows, columns] = rows_and_columns(shape, piece);
    let lengths = match (layout, shape.len()) {
        (Layout::HeadFirst, _) => vec![heads, rows, columns / heads],
        (_, 1) => vec![columns],
        (Layout::Same, _) => vec![rows, columns],
        (Layout::Transposed, _) => vec![columns, rows],
    };
    lengths.into_iter().map(|length| length as u64).collect()
}

/// Whether a tensor with the shape `stored` is this piece of a parameter with the shape `shape`.
pub(super) fn fits(
    stored: &[u64],
    shape: &[usize],
    piece: Piece,
    layout: Layout,
    heads: usize,
) -> bool {
    let expected = stored_shape(shape, piece, layout, heads);
    if stored == expected {
        return true;
    }
    let [rows, columns] = rows_and_columns(shape, piece).map(|length| length as u64);
    let (heads, is_piece) = (heads as u64, piece != Piece::Whole);
    let by_head = |length: u64| [heads, length / heads];
    match layout {
        Layout::HeadFirst => false,
        // Axes of length 1 have no effect: the `[1, T, D]` of some position tables.
        _ if longer_than_1(stored).eq(longer_than_1(&expected)) => true,
        Layout::Transposed => false,
        // Columns that are split by head are those of one piece: in a whole `c_attn` each head would hold its own
        // queries, keys and values, which is another order.
        Layout::Same if shape.len() == 1 => {
            (is_piece && stored == by_head(columns)) || stored == [3, heads, columns / 3 / heads]
        }
        Layout::Same => {
            (is_piece && stored == [&[rows][..], &by_head(columns)].concat())
                || stored == [&by_head(rows)[..], &[columns]].concat()
                || stored == [rows, 3, heads, columns / 3 / heads]
        }
    }
}

fn longer_than_1(lengths: &[u64]) -> impl Iterator<Item = u64> {
    lengths.iter().copied().filter(|length| *length != 1)
}

impl Placement {
    /// The placement of a tensor that [`fits`].
    pub fn new(
        shape: &[usize],
        piece: Piece,
        layout: Layout,
        heads: usize,
        is_matrix: bool,
    ) -> Placement {
        let [rows, columns] = rows_and_columns(shape, piece);
        let stride = columns * piece.count();
        let axes = match layout {
            Layout::Same => vec![[rows, stride], [columns, 1]],
            Layout::Transposed => vec![[columns, 1], [rows, stride]],
            Layout::HeadFirst => {
                let channels = columns / heads;
                vec![[heads, channels], [rows, stride], [channels, 1]]
            }
        };
        let is_vector = rows == 1 || columns == 1; // whose order is the same when it is transposed
        let order = match layout {
            _ if piece != Piece::Whole => Order::Scattered,
            Layout::Same => Order::Same,
            Layout::Transposed if is_vector => Order::Same,
            Layout::Transposed if is_matrix => Order::Transposed,
            _ => Order::Scattered,
        };
        Placement { order, offset: piece.index() * columns, axes }
    }
}

/// Copies values in the order of the file to their places in a parameter.
#[derive(Debug)]
pub(super) struct Scatter {
    offset: usize,
    axes: Vec<[usize; 2]>,
    /// The indices of the next value.
    next: Vec<usize>,
}

impl Scatter {
    pub fn new(placement: &Placement) -> Scatter {
        let Placement { offset, axes, .. } = placement;
        Scatter { offset: *offset, axes: axes.clone(), next: vec![0; axes.len()] }
    }

    /// Copies the next values.
    pub fn copy(&mut self, values: &[f32], to: &mut [f32]) {
        for value in values {
            let place = self.next.iter().zip(&self.axes).map(|(index, [_, stride])| index * stride);
            if let Some(to) = to.get_mut(self.offset + place.sum::<usize>()) {
                *to = *value;
            }
            for (index, [length, _]) in self.next.iter_mut().zip(&self.axes).rev() {
                *index += 1;
                if *index < *length {
                    break;
                }
                *index = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scattered(shape: &[usize], parts: &[(Piece, Layout, Vec<f32>)], heads: usize) -> Vec<f32> {
        let mut to = vec![0.0; shape.iter().product()];
        for (piece, layout, values) in parts {
            let mut scatter = Scatter::new(&Placement::new(shape, *piece, *layout, heads, true));
            values.chunks(2).for_each(|values| scatter.copy(values, &mut to));
        }
        to
    }

    #[test]
    fn heads_first_are_side_by_side() {
        // Two heads, two rows, two channels: element = 100 * head + 10 * row + channel.
        let query = vec![0., 1., 10., 11., 100., 101., 110., 111.];
        let found = scattered(&[2, 4], &[(Piece::Whole, Layout::HeadFirst, query)], 2);
        assert_eq!(found, [0., 1., 100., 101., 10., 11., 110., 111.]);
    }

    #[test]
    fn three_parts_are_side_by_side_whatever_their_order() {
        let (query, key, value) = (vec![1., 2., 3., 4.], vec![5., 6., 7., 8.], vec![9.; 4]);
        let parts = [
            (Piece::Value, Layout::Same, value),
            (Piece::Query, Layout::Same, query),
            (Piece::Key, Layout::Transposed, key),
        ];
        let found = scattered(&[2, 6], &parts, 1);
        assert_eq!(found, [1., 2., 5., 7., 9., 9., 3., 4., 6., 8., 9., 9.]);
        let bias = [
            (Piece::Query, Layout::Same, vec![1., 2.]),
            (Piece::Key, Layout::Same, vec![3., 4.]),
            (Piece::Value, Layout::Same, vec![5., 6.]),
        ];
        assert_eq!(scattered(&[6], &bias, 1), [1., 2., 3., 4., 5., 6.]);
    }

    #[test]
    fn a_whole_matrix_is_not_copied() {
        let order = |layout| Placement::new(&[2, 6], Piece::Whole, layout, 2, true).order;
        assert_eq!(order(Layout::Same), Order::Same);
        assert_eq!(order(Layout::Transposed), Order::Transposed);
        assert_eq!(order(Layout::HeadFirst), Order::Scattered);
    }

    #[test]
    fn shapes_fit_with_split_heads_and_axes_of_length_1() {
        let fits =
            |stored: &[u64], shape: &[usize], piece| fits(stored, shape, piece, Layout::Same, 2);
        assert!(fits(&[4, 2, 2], &[4, 12], Piece::Query));
        assert!(fits(&[4, 3, 2, 2], &[4, 12], Piece::Whole));
        assert!(fits(&[2, 2, 4], &[4, 4], Piece::Whole));
        assert!(fits(&[1, 5, 4], &[5, 4], Piece::Whole));
        assert!(fits(&[2, 2], &[12], Piece::Value));
        assert!(!fits(&[2, 6, 4], &[4, 12], Piece::Whole));
        assert!(!fits(&[4, 2, 6], &[4, 12], Piece::Whole)); // each head has its queries, keys and values
        assert!(!fits(&[2, 6], &[12], Piece::Whole));
        assert!(!fits(&[12, 4], &[4, 12], Piece::Whole));
    }
}
