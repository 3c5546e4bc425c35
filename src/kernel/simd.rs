//! Four f32 side by side: a wasm vector in the browser, a plain array natively, where only tests run it.
//!
//! This is the one file that knows instruction sets.

#[cfg(target_arch = "wasm32")]
use core::arch::wasm32::*;

#[derive(Clone, Copy)]
#[cfg(target_arch = "wasm32")]
pub struct F32x4(v128);

#[cfg(target_arch = "wasm32")]
impl F32x4 {
    /// # Safety
    /// Four floats must be readable at `from`.
    #[inline(always)]
    pub unsafe fn load(from: *const f32) -> F32x4 {
        F32x4(unsafe { v128_load(from.cast()) })
    }

    /// # Safety
    /// One float must be readable at `from`.
    #[inline(always)]
    pub unsafe fn load_splat(from: *const f32) -> F32x4 {
        F32x4(unsafe { v128_load32_splat(from.cast()) })
    }

    /// # Safety
    /// Four floats must be writable at `to`.
    #[inline(always)]
    pub unsafe fn store(self, to: *mut f32) {
        unsafe { v128_store(to.cast(), self.0) }
    }

    /// `self * factor + summand`, rounded once where the machine can.
    #[inline(always)]
    pub fn mul_add(self, factor: F32x4, summand: F32x4) -> F32x4 {
        #[cfg(target_feature = "relaxed-simd")]
        let sum = f32x4_relaxed_madd(self.0, factor.0, summand.0);
        #[cfg(not(target_feature = "relaxed-simd"))]
        let sum = f32x4_add(summand.0, f32x4_mul(self.0, factor.0));
        F32x4(sum)
    }
}

#[derive(Clone, Copy)]
#[cfg(not(target_arch = "wasm32"))]
pub struct F32x4([f32; 4]);

#[cfg(not(target_arch = "wasm32"))]
impl F32x4 {
    /// # Safety
    /// Four floats must be readable at `from`.
    pub unsafe fn load(from: *const f32) -> F32x4 {
        F32x4(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }

    /// # Safety
    /// One float must be readable at `from`.
    pub unsafe fn load_splat(from: *const f32) -> F32x4 {
        F32x4([unsafe { *from }; 4])
    }

    /// # Safety
    /// Four floats must be writable at `to`.
    pub unsafe fn store(self, to: *mut f32) {
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }

    /// `self * factor + summand`.
    pub fn mul_add(self, factor: F32x4, summand: F32x4) -> F32x4 {
        F32x4(std::array::from_fn(|i| self.0[i] * factor.0[i] + summand.0[i]))
    }
}
