//! Weights in fewer bits against scalar code that rounds one number after the other; natively and in the browser.

#[macro_use]
#[path = "common/kernels.rs"]
mod kernels;

use candle_core::Tensor;
use candlescope::kernel::{self, Axes, Backend, Matrix, MatrixBuilder, WeightFormat};
use half::f16;

use kernels::{flat, numbers, tensor};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

facts! {
    fn a_matrix_in_8_or_4_bits_has_the_bits_of_the_scalar_code() {
        for format in [WeightFormat::Q8, WeightFormat::Q4] {
            for [inner, columns] in SHAPES {
                for (kind, values) in kinds(inner * columns) {
                    // Column by column: both a checkpoint's rows and its columns are tested.
                    let blocks: Vec<Block> = values.chunks(inner).flat_map(|column| blocks(format, column)).collect();
                    for by_column in [false, true] {
                        let matrix = build(&values, [inner, columns], format, by_column);
                        let found = bits(&matrix.tensor(Axes::OutIn).unwrap());
                        let expected: Vec<u32> = blocks.iter().flat_map(Block::numbers).map(f32::to_bits).collect();
                        assert_eq!(found, expected, "{format:?} {kind} {inner} {columns} {by_column}");
                        assert_eq!(sums(&matrix, format), sums_of(&blocks, columns), "{format:?} {kind} {inner} {columns}");
                    }
                }
            }
        }
    }

    fn a_matrix_in_f16_has_the_nearest_halves() {
        for [inner, columns] in SHAPES {
            for (kind, values) in kinds(inner * columns) {
                let expected: Vec<u32> = values.iter().map(|number| to_half(*number).to_f32().to_bits()).collect();
                for by_column in [false, true] {
                    let matrix = build(&values, [inner, columns], WeightFormat::F16, by_column);
                    assert_eq!(bits(&matrix.tensor(Axes::OutIn).unwrap()), expected, "{kind} {inner} {columns} {by_column}");
                }
            }
        }
    }

    /// Between two halves, and at and beside each middle.
    fn every_half_is_the_nearest_of_its_neighbours() {
        let halves = (0..0x7BFF_u16).step_by(if cfg!(target_arch = "wasm32") { 7 } else { 31 });
        let values: Vec<f32> = halves
            .flat_map(|half| {
                let [low, high] = [half, half + 1].map(|bits| f16::from_bits(bits).to_f32());
                let middle = (low + high) / 2.0;
                [low, middle.next_down(), middle, middle.next_up(), -low, -middle]
            })
            .collect();
        let matrix = build(&values, [values.len(), 1], WeightFormat::F16, true);
        let expected: Vec<u32> = values.iter().map(|number| f16::from_f32(*number).to_f32().to_bits()).collect();
        assert_eq!(bits(&matrix.tensor(Axes::OutIn).unwrap()), expected);
    }

    fn a_matrix_in_f32_has_the_numbers_of_the_file() {
        for [inner, columns] in SHAPES {
            for (kind, values) in kinds(inner * columns) {
                let expected: Vec<u32> = values.iter().map(|number| number.to_bits()).collect();
                for by_column in [false, true] {
                    let matrix = build(&values, [inner, columns], WeightFormat::F32, by_column);
                    assert_eq!(bits(&matrix.tensor(Axes::OutIn).unwrap()), expected, "{kind} {inner} {columns} {by_column}");
                }
            }
        }
    }
}

/// `[inner, columns]`: less than a step, a block less one, a block, blocks and some; panels that are not full.
const SHAPES: [[usize; 2]; 9] =
    [[1, 1], [3, 9], [31, 8], [32, 7], [33, 16], [64, 8], [65, 17], [128, 3], [200, 41]];

/// Numbers of several kinds. The scales of a block are finite in f16.
fn kinds(count: usize) -> Vec<(&'static str, Vec<f32>)> {
    let all = |number: &dyn Fn(usize) -> f32| (0..count).map(number).collect::<Vec<_>>();
    let random = numbers(count, 1);
    // The largest number of a block of 64 is 127, so its scale is 1 in 8 bits; in 4 bits the scale is -127 / 8.
    let near_ties = |i: usize| match i % 16 {
        0 => 127.0,
        3 => 0.5_f32.next_down(),
        7 => -0.5_f32.next_down(),
        _ => {
            let tie = (i % 253) as f32 - 126.5;
            [tie, tie.next_up(), tie.next_down()][i % 3]
        }
    };
    vec![
        ("random", random.clone()),
        ("of all magnitudes", all(&|i| random[i] * f32::powi(2.0, (i * 7 % 60) as i32 - 45))),
        ("ties in 8 bits", all(&near_ties)),
        ("ties in 4 bits", all(&|i| if i % 16 == 0 { -8.0 } else { near_ties(i) / 16.0 })),
        ("of both signs and one magnitude", all(&|i| if i * 5 % 7 < 3 { 0.25 } else { -0.25 })),
        ("zero", all(&|i| if i % 2 == 0 { 0.0 } else { -0.0 })),
        ("subnormal", all(&|i| random[i] * f32::MIN_POSITIVE)),
        ("subnormal in f16", all(&|i| random[i] * 3e-6)),
        ("large", all(&|i| random[i] * 60000.0)),
        ("one in a block", all(&|i| if i % 64 == 20 { random[i] } else { 0.0 })),
    ]
}

/// One column of a block: its levels, their scale, and the sum of the rounded numbers.
struct Block {
    levels: Vec<f32>,
    scale: f16,
    sum: f16,
}

impl Block {
    fn numbers(&self) -> impl Iterator<Item = f32> {
        self.levels.iter().map(|level| level * self.scale.to_f32())
    }
}

/// Rounds a column to 255 levels between minus and plus the largest of 64 numbers (8 bits), or to 16 levels from the largest
/// of 32 numbers down, by its sign (4 bits): there are 8 levels below zero and 7 above, so the largest gets the level -8.
fn blocks(format: WeightFormat, column: &[f32]) -> Vec<Block> {
    let larger = |a: f32, b: &f32| if b.abs() > a.abs() { *b } else { a };
    let (length, min, max) =
        if format == WeightFormat::Q8 { (64, -127.0, 127.0) } else { (32, -8.0, 7.0) };
    let block = |numbers: &[f32]| {
        let largest = numbers.iter().fold(0f32, larger);
        let scale =
            to_half(if format == WeightFormat::Q8 { largest.abs() / max } else { largest / min });
        let inverse = if scale == f16::ZERO { 0.0 } else { scale.to_f32().recip() };
        let level = |number: &f32| (number * inverse).round().clamp(min, max) + 0.0; // no negative zero
        let levels: Vec<f32> = numbers.iter().map(level).collect();
        let sum = to_half(scale.to_f32() * levels.iter().sum::<f32>());
        Block { levels, scale, sum }
    };
    column.chunks(length).map(block).collect()
}

/// The nearest finite f16.
fn to_half(number: f32) -> f16 {
    f16::from_f32(number.clamp(f16::MIN.to_f32(), f16::MAX.to_f32()))
}

/// The matrix with these columns, from pieces of a checkpoint that stores its rows or its columns. The first piece has two
/// rows and a half, the others one.
fn build(
    columns: &[f32],
    [inner, count]: [usize; 2],
    format: WeightFormat,
    by_column: bool,
) -> Matrix {
    let (values, width, builder) = if by_column {
        let builder = MatrixBuilder::transposed([inner, count], Axes::InOut, format);
        (columns.to_vec(), inner, builder)
    } else {
        let rows = (0..inner).flat_map(|row| columns[row..].iter().step_by(inner)).copied();
        (rows.collect(), count, MatrixBuilder::new([inner, count], Axes::InOut, format))
    };
    let mut builder = builder.unwrap();
    let (mut at, mut end) = (0, 2 * width + width / 2);
    while at < values.len() {
        at += builder.push(&values[at..end.min(values.len())]);
        end += width;
    }
    builder.finish().unwrap()
}

/// The sums of each block, `[blocks][columns]`: what a row of ones in this block gives, because its numbers are all its minimum.
fn sums(matrix: &Matrix, format: WeightFormat) -> Vec<Vec<f32>> {
    let (inner, _) = matrix.dims().unwrap();
    let length = if format == WeightFormat::Q8 { 64 } else { 32 };
    let sums = |start: usize| {
        let row: Vec<f32> =
            (0..inner).map(|i| if i / length == start / length { 1.0 } else { 0.0 }).collect();
        flat(&kernel::matmul(&tensor(&row, &[1, inner]), matrix).unwrap())
    };
    (0..inner).step_by(length).map(sums).collect()
}

fn sums_of(blocks: &[Block], columns: usize) -> Vec<Vec<f32>> {
    let of_column = blocks.len() / columns;
    let sums =
        |index: usize| blocks[index..].iter().step_by(of_column).map(|block| block.sum.to_f32());
    (0..of_column).map(|index| sums(index).collect()).collect()
}

fn bits(x: &Tensor) -> Vec<u32> {
    flat(x).into_iter().map(f32::to_bits).collect()
}
