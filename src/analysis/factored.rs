//! Linear algebra of a low-rank matrix `A B` in factored form, such as a head's `W_V W_O`, which is `[D, K] [K, D]` with
//! K much smaller than D. The product is never computed.
//!
//! With `A = Q_A R_A` and `Bᵀ = Q_B R_B`, its singular values are those of the `K × K` matrix `R_A R_Bᵀ`. Its nonzero
//! eigenvalues are those of the `K × K` matrix `B A`. Everything is computed in f64. The methods are those of Golub and
//! Van Loan, "Matrix Computations": Gram-Schmidt run twice (5.2), one-sided Jacobi rotations (8.6) and the shifted QR
//! iteration on a Hessenberg matrix (7.4, 7.5). A linear algebra crate would add 14 dependencies and five times the code.

use std::iter::Sum;
use std::ops::{Add, Mul, Sub};

use candle_core::{DType, Device, Tensor};

use crate::error::{Error, Result};

/// A complex number.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Complex {
    /// The real part.
    pub re: f64,
    /// The imaginary part.
    pub im: f64,
}

impl Complex {
    /// The absolute value.
    pub fn norm(self) -> f64 {
        self.re.hypot(self.im)
    }

    fn conj(self) -> Complex {
        Complex { im: -self.im, ..self }
    }

    fn scale(self, by: f64) -> Complex {
        Complex { re: self.re * by, im: self.im * by }
    }

    /// The square root on the right half of the plane.
    fn sqrt(self) -> Complex {
        let norm = self.norm();
        let [re, im] = [norm + self.re, norm - self.re].map(|twice| (twice.max(0.0) / 2.0).sqrt());
        Complex { re, im: im.copysign(self.im) }
    }
}

impl From<f64> for Complex {
    fn from(re: f64) -> Complex {
        Complex { re, im: 0.0 }
    }
}

impl Add for Complex {
    type Output = Complex;

    fn add(self, other: Complex) -> Complex {
        Complex { re: self.re + other.re, im: self.im + other.im }
    }
}

impl Sub for Complex {
    type Output = Complex;

    fn sub(self, other: Complex) -> Complex {
        self + other.scale(-1.0)
    }
}

impl Mul for Complex {
    type Output = Complex;

    fn mul(self, other: Complex) -> Complex {
        Complex {
            re: self.re * other.re - self.im * other.im,
            im: self.re * other.im + self.im * other.re,
        }
    }
}

impl Sum for Complex {
    fn sum<I: Iterator<Item = Complex>>(numbers: I) -> Complex {
        numbers.fold(Complex::default(), Complex::add)
    }
}

/// `A B`.
pub struct FactoredMatrix {
    a: Tensor, // [m, K]
    b: Tensor, // [K, n]
}

/// `A B = Σ_i left_i value_i right_iᵀ`, largest singular value first.
///
/// The sign of each pair of vectors makes the entry of `left_i` with the largest magnitude positive.
pub struct SingularValues {
    /// The singular values, largest first.
    pub values: Vec<f64>,
    /// `[K, m]`: a vector in each row.
    pub left: Tensor,
    /// `[K, n]`.
    pub right: Tensor,
}

impl FactoredMatrix {
    /// `a` `[m, K]` times `b` `[K, n]`.
    pub fn new(a: &Tensor, b: &Tensor) -> Result<FactoredMatrix> {
        Ok(FactoredMatrix {
            a: a.to_dtype(DType::F64)?.contiguous()?,
            b: b.to_dtype(DType::F64)?.contiguous()?,
        })
    }

    /// The transpose, `Bᵀ Aᵀ`.
    pub fn transpose(&self) -> Result<FactoredMatrix> {
        FactoredMatrix::new(&self.b.t()?, &self.a.t()?)
    }

    /// `R_A B`, `[K, n]`: `A B` without its orthonormal left factor. Products with it from the right have the same norms.
    pub fn collapse_left(&self) -> Result<Tensor> {
        let (_, r) = orthogonalize(columns(&self.a)?);
        Ok(tensor_of_columns(&r)?.matmul(&self.b)?)
    }

    /// `A R_Bᵀ`, `[m, K]`: the same for the right factor.
    pub fn collapse_right(&self) -> Result<Tensor> {
        Ok(self.transpose()?.collapse_left()?.t()?.contiguous()?)
    }

    /// The singular values and vectors of `A B`.
    pub fn singular_values(&self) -> Result<SingularValues> {
        let (q_a, r_a) = orthogonalize(columns(&self.a)?);
        let (q_b, r_b) = orthogonalize(columns(&self.b.t()?)?);
        let middle = tensor_of_columns(&r_a)?.matmul(&tensor_of_columns(&r_b)?.t()?)?; // [K, K]
        let (left, values, right) = jacobi(columns(&middle)?);
        let into = |inner: &[Vec<f64>], q: &[Vec<f64>]| {
            Ok::<_, Error>(tensor_of_columns(inner)?.t()?.matmul(&tensor_of_columns(q)?.t()?)?)
        };
        let (left, right) = (into(&left, &q_a)?, into(&right, &q_b)?); // [K, m], [K, n]
        let signs = left.to_vec2()?.iter().map(|row| sign(row)).collect::<Vec<f64>>();
        let signs = Tensor::from_vec(signs, (values.len(), 1), &Device::Cpu)?;
        Ok(SingularValues {
            values,
            left: left.broadcast_mul(&signs)?,
            right: right.broadcast_mul(&signs)?,
        })
    }

    /// The K eigenvalues of `A B`, which must be square, that can differ from 0; largest magnitude first.
    ///
    /// # Errors
    /// [`Error::Weights`] when a number is not finite.
    pub fn eigenvalues(&self) -> Result<Vec<Complex>> {
        eigenvalues(self.b.matmul(&self.a)?.to_vec2()?)
    }
}

fn columns(matrix: &Tensor) -> Result<Vec<Vec<f64>>> {
    Ok(matrix.t()?.to_vec2()?)
}

fn tensor_of_columns(columns: &[Vec<f64>]) -> Result<Tensor> {
    let length = columns.first().map_or(0, Vec::len);
    Ok(Tensor::from_vec(columns.concat(), (columns.len(), length), &Device::Cpu)?
        .t()?
        .contiguous()?)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn sign(row: &[f64]) -> f64 {
    let largest =
        row.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or_default();
    if largest < 0.0 { -1.0 } else { 1.0 }
}

/// Columns to `Q R`: orthonormal columns (zeros beyond the rank), and the columns of the upper triangular R.
fn orthogonalize(mut columns: Vec<Vec<f64>>) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let count = columns.len();
    let mut r = vec![vec![0.0; count]; count];
    for (index, r) in r.iter_mut().enumerate() {
        let (done, rest) = columns.split_at_mut(index);
        let column = &mut rest[0];
        let length = dot(column, column).sqrt();
        for _ in 0..2 {
            for (other, q) in done.iter().enumerate() {
                let along = dot(q, column);
                r[other] += along;
                column.iter_mut().zip(q).for_each(|(x, q)| *x -= along * q);
            }
        }
        let left = dot(column, column).sqrt();
        // A column in the span of those before it leaves only rounding errors, which have no direction.
        let new = left > 1e-14 * length;
        r[index] = if new { left } else { 0.0 };
        column.iter_mut().for_each(|x| *x = if new { *x / left } else { 0.0 });
    }
    (columns, r)
}

/// Singular values of a small matrix given by its columns: left vectors, values, right vectors.
///
/// Rotates pairs of columns until all are orthogonal; then their lengths are the singular values.
fn jacobi(mut columns: Vec<Vec<f64>>) -> (Vec<Vec<f64>>, Vec<f64>, Vec<Vec<f64>>) {
    let count = columns.len();
    let mut right: Vec<Vec<f64>> = (0..count)
        .map(|index| (0..count).map(|other| f64::from(u8::from(index == other))).collect())
        .collect();
    for _sweep in 0..60 {
        let mut rotated = false;
        for p in 0..count {
            for q in p + 1..count {
                let (alpha, beta) = (dot(&columns[p], &columns[p]), dot(&columns[q], &columns[q]));
                let gamma = dot(&columns[p], &columns[q]);
                if gamma.abs() <= 1e-15 * (alpha * beta).sqrt() || gamma == 0.0 {
                    continue;
                }
                rotated = true;
                let zeta = (beta - alpha) / (2.0 * gamma);
                let tangent = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
                let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
                rotate(&mut columns, p, q, cosine, cosine * tangent);
                rotate(&mut right, p, q, cosine, cosine * tangent);
            }
        }
        if !rotated {
            break;
        }
    }
    let lengths: Vec<f64> = columns.iter().map(|column| dot(column, column).sqrt()).collect();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| lengths[*b].total_cmp(&lengths[*a]));
    let unit = |index: &usize| {
        let length = lengths[*index];
        columns[*index].iter().map(|x| if length > 0.0 { x / length } else { 0.0 }).collect()
    };
    let left = order.iter().map(unit).collect();
    let values = order.iter().map(|index| lengths[*index]).collect();
    (left, values, order.iter().map(|index| right[*index].clone()).collect())
}

fn rotate(columns: &mut [Vec<f64>], p: usize, q: usize, cosine: f64, sine: f64) {
    let (before, after) = columns.split_at_mut(q);
    for (x, y) in before[p].iter_mut().zip(&mut after[0]) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}

/// Eigenvalues of a small square matrix given by its rows, largest magnitude first.
fn eigenvalues(rows: Vec<Vec<f64>>) -> Result<Vec<Complex>> {
    let mut h = hessenberg(rows);
    let mut active = h.len(); // the rows from here on have converged
    let mut iterations = 0;
    while active > 1 {
        let last = active - 1;
        let start = (1..=last).rev().find(|row| negligible(&h, *row)).unwrap_or(0);
        if start == last {
            (active, iterations) = (last, 0);
            continue;
        }
        iterations += 1;
        if iterations > 200 {
            return Err(Error::Weights(
                "the eigenvalues of a head do not converge: are all weights finite?".into(),
            ));
        }
        let shift = shift(&h, last, iterations);
        qr_step(&mut h, start, last, shift);
    }
    let mut values: Vec<Complex> = (0..h.len()).map(|index| h[index][index]).collect();
    values.sort_by(|a, b| b.norm().total_cmp(&a.norm()));
    Ok(values)
}

/// Zero below the first subdiagonal, by Householder reflections from both sides.
fn hessenberg(mut rows: Vec<Vec<f64>>) -> Vec<Vec<Complex>> {
    let count = rows.len();
    for column in 0..count.saturating_sub(2) {
        let mut v: Vec<f64> = (column + 1..count).map(|row| rows[row][column]).collect();
        let length = dot(&v, &v).sqrt();
        v[0] += if v[0] < 0.0 { -length } else { length };
        let square = dot(&v, &v);
        if square == 0.0 {
            continue;
        }
        let below = &mut rows[column + 1..];
        let along: Vec<f64> = (0..count)
            .map(|other| below.iter().zip(&v).map(|(row, v)| row[other] * v).sum())
            .collect();
        for (row, v) in below.iter_mut().zip(&v) {
            row.iter_mut().zip(&along).for_each(|(x, along)| *x -= 2.0 * along / square * v);
        }
        for row in &mut rows {
            let along = dot(&row[column + 1..], &v);
            row[column + 1..].iter_mut().zip(&v).for_each(|(x, v)| *x -= 2.0 * along / square * v);
        }
    }
    rows.into_iter().map(|row| row.into_iter().map(Complex::from).collect()).collect()
}

fn negligible(h: &[Vec<Complex>], row: usize) -> bool {
    let neighbours = h[row - 1][row - 1].norm() + h[row][row].norm();
    h[row][row - 1].norm() <= f64::EPSILON * neighbours
}

/// The eigenvalue of the last two rows and columns that is nearest to the last entry, after Wilkinson. Every tenth
/// iteration takes another number, to leave a cycle.
fn shift(h: &[Vec<Complex>], last: usize, iterations: usize) -> Complex {
    let (a, b) = (h[last - 1][last - 1], h[last - 1][last]);
    let (c, d) = (h[last][last - 1], h[last][last]);
    if iterations.is_multiple_of(10) {
        return d + c.norm().into();
    }
    let (mean, half_difference) = ((a + d).scale(0.5), (a - d).scale(0.5));
    let root = (half_difference * half_difference + b * c).sqrt();
    let (one, other) = (mean + root, mean - root);
    if (one - d).norm() < (other - d).norm() { one } else { other }
}

/// One step of the QR iteration on the rows and columns from `start` to `last`: `H - shift = Q R`, then `R Q + shift`.
fn qr_step(h: &mut [Vec<Complex>], start: usize, last: usize, shift: Complex) {
    (start..=last).for_each(|index| h[index][index] = h[index][index] - shift);
    let mut rotations = Vec::with_capacity(last - start);
    for k in start..last {
        let (a, b) = (h[k][k], h[k + 1][k]);
        let length = a.norm().hypot(b.norm());
        let (c, s) = if length > 0.0 {
            (a.scale(1.0 / length), b.scale(1.0 / length))
        } else {
            (1.0.into(), 0.0.into())
        };
        let (upper, lower) = h.split_at_mut(k + 1);
        for (x, y) in upper[k][k..=last].iter_mut().zip(&mut lower[0][k..=last]) {
            (*x, *y) = (c.conj() * *x + s.conj() * *y, c * *y - s * *x);
        }
        rotations.push((c, s));
    }
    for (k, (c, s)) in (start..last).zip(rotations) {
        for row in &mut h[start..=(k + 2).min(last)] {
            (row[k], row[k + 1]) =
                (row[k] * c + row[k + 1] * s, row[k + 1] * c.conj() - row[k] * s.conj());
        }
    }
    (start..=last).for_each(|index| h[index][index] = h[index][index] + shift);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn square(values: &[f64]) -> Vec<Vec<f64>> {
        let size = values.len().isqrt();
        values.chunks(size).take(size).map(<[f64]>::to_vec).collect()
    }

    #[test]
    fn a_rotation_has_complex_eigenvalues() {
        let mut found = eigenvalues(vec![vec![0.0, -2.0], vec![2.0, 0.0]]).unwrap();
        found.sort_by(|a, b| a.im.total_cmp(&b.im));
        for (found, im) in found.into_iter().zip([-2.0, 2.0]) {
            assert!((found - Complex { re: 0.0, im }).norm() < 1e-14, "{found:?}");
        }
    }

    /// The plain QR iteration cycles on it for ever.
    #[test]
    fn a_cyclic_permutation_has_the_roots_of_unity() {
        let size = 7;
        let row = |row: usize| {
            (0..size).map(|column| f64::from(u8::from((row + 1) % size == column))).collect()
        };
        let found = eigenvalues((0..size).map(row).collect()).unwrap();
        assert!(
            found
                .iter()
                .all(|value| ((0..6).fold(*value, |power, _| power * *value) - 1.0.into()).norm()
                    < 1e-12),
            "{found:?}"
        );
        assert!(found.iter().copied().sum::<Complex>().norm() < 1e-12, "{found:?}");
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        assert!(eigenvalues(vec![vec![f64::NAN, 1.0], vec![1.0, 2.0]]).is_err());
    }

    #[test]
    fn a_matrix_of_low_rank_has_singular_values_of_zero() {
        let a = Tensor::new(&[[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]], &Device::Cpu).unwrap();
        let b = Tensor::new(&[[1.0, 0.0], [0.0, 1.0]], &Device::Cpu).unwrap();
        let found = FactoredMatrix::new(&a, &b).unwrap().singular_values().unwrap();
        assert!((found.values[0] - 70.0f64.sqrt()).abs() < 1e-12 && found.values[1].abs() < 1e-12);
    }

    proptest! {
        /// Trace and determinant are symmetric functions of the eigenvalues; here those of `M` and of `M²`.
        #[test]
        fn eigenvalues_add_up_to_the_trace(values in prop::collection::vec(-3.0..3.0f64, 1..65)) {
            let rows = square(&values);
            let size = rows.len();
            let found = eigenvalues(rows.clone()).unwrap();
            let trace: f64 = (0..size).map(|i| rows[i][i]).sum();
            let of_square: f64 = (0..size).map(|i| (0..size).map(|j| rows[i][j] * rows[j][i]).sum::<f64>()).sum();
            let scale = 1.0 + rows.concat().iter().map(|x| x * x).sum::<f64>();
            prop_assert!((found.iter().copied().sum::<Complex>() - trace.into()).norm() < 1e-11 * scale);
            let squares = found.iter().map(|value| *value * *value).sum::<Complex>();
            prop_assert!((squares - of_square.into()).norm() < 1e-10 * scale);
        }

        #[test]
        fn singular_vectors_give_the_matrix_back(
            a in prop::collection::vec(-3.0..3.0f64, 18),
            b in prop::collection::vec(-3.0..3.0f64, 15),
        ) {
            let a = Tensor::from_vec(a, (6, 3), &Device::Cpu).unwrap();
            let b = Tensor::from_vec(b, (3, 5), &Device::Cpu).unwrap();
            let found = FactoredMatrix::new(&a, &b).unwrap().singular_values().unwrap();
            let values = Tensor::from_vec(found.values.clone(), 3, &Device::Cpu).unwrap();
            let scaled = found.left.t().unwrap().broadcast_mul(&values).unwrap();
            let error = (scaled.matmul(&found.right).unwrap() - a.matmul(&b).unwrap()).unwrap();
            let largest = error.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
            prop_assert!(largest < 1e-11, "{largest}");
            prop_assert!(found.values.windows(2).all(|pair| pair[0] >= pair[1]));
        }
    }
}
