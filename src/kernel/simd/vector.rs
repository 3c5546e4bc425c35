//! Vectors of 128 bits. The kernels use only the traits of this file, which every instruction set
//! implements:
//!
//! | file | target | used |
//! | --- | --- | --- |
//! | `vector/wasm.rs`, `vector/dot_plain.rs` | wasm with `simd128` | in a browser |
//! | `vector/wasm.rs`, `vector/dot_relaxed.rs` | wasm with `simd128` and `relaxed-simd` | in a browser that supports it |
//! | `vector/native.rs` | any other: plain arrays | natively, for all but products, and for tests |
//!
//! Only the files in `vector/` contain instructions of a particular instruction set. Loads and
//! stores accept any alignment.

#[cfg(not(target_arch = "wasm32"))]
mod native;
mod scalar;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(not(target_arch = "wasm32"))]
pub use native::{BACKEND, F32x4, I32x4};
#[cfg(target_arch = "wasm32")]
#[allow(unused_imports, reason = "the main module does not ask which instructions there are")]
pub use wasm::has_dot_instruction;
#[cfg(target_arch = "wasm32")]
pub use wasm::{BACKEND, F32x4, I32x4};

/// The instruction set of the kernels. `BACKEND` is that of the file's own compilation; the main
/// module, which is compiled with plain SIMD, must ask `dispatch.rs` for that of its kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// SIMD with separate multiplications and additions.
    Simd,
    /// Relaxed SIMD: multiply-adds, which most machines round once, and dot products of bytes.
    Relaxed,
    /// Relaxed SIMD, and the dot product of bytes in one instruction. It gives the same numbers as
    /// [`Backend::Relaxed`] on every machine, and is faster where the machine has that instruction.
    RelaxedDot,
}

/// Elementwise arithmetic, for vectors and for single numbers, so that a formula is written once
/// for both.
pub trait Float: Copy {
    /// `value` in every lane.
    fn splat(value: f32) -> Self;

    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, factor: Self) -> Self;
    fn div(self, divisor: Self) -> Self;

    /// `self * factor + summand`. With relaxed SIMD it is rounded once if the machine can do so,
    /// else twice.
    fn mul_add(self, factor: Self, summand: Self) -> Self;

    /// The minimum of each lane. If one of the two is NaN, the result is unspecified.
    fn min(self, other: Self) -> Self;

    /// The maximum of each lane, with the same rule for NaN.
    fn max(self, other: Self) -> Self;

    /// 2 to the power of `n` for lanes of `n + 1.5 · 2²³`, where `n` is an integer from -126 to 127: the
    /// lowest bits of such a number are those of `n`.
    fn power_of_two(self) -> Self;

    /// 0 in the lanes in which `x` is below `limit`, `self` elsewhere.
    fn zero_where_below(self, x: Self, limit: Self) -> Self;

    /// `x` in the lanes in which `x` is NaN, `self` elsewhere.
    fn propagate_nan(self, x: Self) -> Self;
}

/// Four f32.
pub trait Vector: Float {
    /// # Safety
    /// `from` must be valid for reads of 4 floats.
    unsafe fn load(from: *const f32) -> Self;

    /// One float in every lane.
    ///
    /// # Safety
    /// `from` must be valid for reads of 1 float.
    unsafe fn load_splat(from: *const f32) -> Self;

    /// The first `count` floats at `from`, 1 to 4. The remaining lanes repeat earlier ones.
    ///
    /// # Safety
    /// `from` must be valid for reads of `count` floats.
    unsafe fn load_partial(from: *const f32, count: usize) -> Self;

    /// Converts four finite f16. Infinities and NaN are not supported: weights in f16 are checked
    /// when they load.
    ///
    /// # Safety
    /// `from` must be valid for reads of 4 f16, which are 8 bytes.
    unsafe fn load_halves(from: *const u16) -> Self;

    /// Converts four signed bytes.
    ///
    /// # Safety
    /// `from` must be valid for reads of 4 bytes.
    unsafe fn load_bytes(from: *const u8) -> Self;

    /// Converts four bytes of two unsigned 4-bit numbers and subtracts 8: low nibbles, high nibbles.
    ///
    /// # Safety
    /// `from` must be valid for reads of 4 bytes.
    unsafe fn load_nibbles(from: *const u8) -> [Self; 2];

    /// # Safety
    /// `to` must be valid for writes of 4 floats, and no other thread may access them.
    unsafe fn store(self, to: *mut f32);

    /// Stores the nearest finite f16 of each lane; NaN as a NaN.
    ///
    /// # Safety
    /// `to` must be valid for writes of 4 f16, which are 8 bytes, and no other thread may access
    /// them.
    unsafe fn store_halves(self, to: *mut u16);

    /// Stores the lowest bytes of the four bit patterns in each lane: 16 bytes, lane by lane.
    ///
    /// # Safety
    /// `to` must be valid for writes of 16 bytes, and no other thread may access them.
    unsafe fn store_lowest_bytes(rows: [Self; 4], to: *mut u8);

    fn to_array(self) -> [f32; 4];

    /// The columns of the matrix with these rows.
    fn transposed(a: Self, b: Self, c: Self, d: Self) -> [Self; 4];

    fn sqrt(self) -> Self;

    /// The lanes without their signs.
    fn magnitude(self) -> Self;

    /// In each lane the number with the larger magnitude, `self` if they are equal. A NaN of `other` is ignored.
    fn larger_magnitude(self, other: Self) -> Self;

    /// The nearest integers, half away from zero, of lanes below 2²³.
    fn rounded(self) -> Self;

    /// The first lane.
    fn first(self) -> f32;

    /// The sum of the lanes: `(0 + 2) + (1 + 3)`.
    fn reduce_sum(self) -> f32;

    fn reduce_min(self) -> f32;
    fn reduce_max(self) -> f32;

    /// The lowest bytes of the four bit patterns, in one word.
    fn lowest_bytes(self) -> u32;
}

/// Four i32 that sum up products of bytes. The results are exact, hence the same with every
/// instruction set.
pub trait DotProduct: Copy {
    /// Four signed bytes for each lane.
    type Weights: Copy;
    /// Four bytes from 0 to 127, the same for each lane.
    type Activations: Copy;
    /// Eight 16-bit ones. They are loaded from memory because the engine would rematerialize a
    /// constant in every iteration.
    type Ones: Copy;

    const ZERO: Self;

    fn to_f32(self) -> F32x4;

    /// Adds to each lane the dot product of its four weights and four activations.
    fn add_dot(
        self,
        weights: &Self::Weights,
        activations: &Self::Activations,
        ones: Self::Ones,
    ) -> Self;

    /// # Safety
    /// `from` must be valid for reads of 8 integers, all 1.
    unsafe fn load_ones(from: *const i16) -> Self::Ones;

    /// # Safety
    /// `from` must be valid for reads of 16 bytes.
    unsafe fn load_weights(from: *const u8) -> Self::Weights;

    /// Unpacks 32 unsigned 4-bit numbers and subtracts 8: low nibbles first, then high nibbles.
    ///
    /// # Safety
    /// `from` must be valid for reads of 16 bytes.
    unsafe fn load_nibbles(from: *const u8) -> [Self::Weights; 2];

    /// # Safety
    /// `from` must be valid for reads of 4 bytes.
    unsafe fn load_activations(from: *const u8) -> Self::Activations;
}

/// The form of [`DotProduct`] for tiles, whose operands are converted once and used for many rows.
///
/// A step of four numbers has `PARTS` parts: the four bytes, or twice two 16-bit numbers, first those
/// with even and then those with odd positions. A part of four columns is a vector, a part of a row
/// four bytes.
pub trait TileProduct: DotProduct {
    const PARTS: usize;
    /// A part of four columns, or one of a row in every lane.
    type Part: Copy;

    /// Adds to each lane the dot product of a part, with that instruction if `ONE` is true
    /// ([`Backend::RelaxedDot`]). The results are the same.
    fn add_part<const ONE: bool>(
        self,
        weights: Self::Part,
        activations: Self::Part,
        ones: Self::Ones,
    ) -> Self;

    /// # Safety
    /// `from` must be valid for reads of 16 bytes.
    unsafe fn load_part(from: *const u8) -> Self::Part;

    /// # Safety
    /// `from` must be valid for reads of 4 bytes.
    unsafe fn splat_part(from: *const u8) -> Self::Part;

    /// Stores the parts of 16 bytes, at `to` and multiples of `stride`.
    ///
    /// # Safety
    /// `from` must be valid for reads of 16 bytes; `to` for writes of 16 bytes at each multiple of
    /// the stride below `PARTS`, and no other thread may access them.
    unsafe fn widen_bytes(from: *const u8, to: *mut u8, stride: usize);

    /// Unpacks 32 unsigned 4-bit numbers, subtracts 8 and stores the parts of the low nibbles, then
    /// those of the high nibbles, at `to` and multiples of `stride`.
    ///
    /// # Safety
    /// As for [`TileProduct::widen_bytes`], with twice as many multiples of the stride.
    unsafe fn widen_nibbles(from: *const u8, to: *mut u8, stride: usize);
}
