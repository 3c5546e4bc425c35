//! Which inner loops run: those of this crate, with plain SIMD, or the ones with relaxed SIMD (`relaxed.rs`), which are
//! linked in on first use where the browser has it.

use std::sync::atomic::{AtomicU8, Ordering};

use super::inner::{self, Factors};

/// The inner loops to run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// A multiplication, then an addition.
    Simd,
    /// Relaxed multiply-adds, which round once on most machines.
    Relaxed,
}

/// What was chosen: nothing yet, plain, relaxed.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// The build that runs: the fastest there is, unless another was chosen.
#[inline]
pub fn build() -> Build {
    match CHOSEN.load(Ordering::Relaxed) {
        0 if choose(Build::Relaxed) => Build::Relaxed,
        0 => {
            choose(Build::Simd);
            Build::Simd
        }
        1 => Build::Simd,
        _ => Build::Relaxed,
    }
}

/// Runs with `build` from now on; false, and nothing changes, where this machine lacks it.
pub fn choose(build: Build) -> bool {
    let possible = build == Build::Simd || relaxed::link();
    if possible {
        CHOSEN.store(if build == Build::Simd { 1 } else { 2 }, Ordering::Relaxed);
    }
    possible
}

/// As [`inner::tile`].
#[inline]
pub(super) unsafe fn tile(
    factors: &Factors,
    from: *const f32,
    from_stride: usize,
    to: *mut f32,
    to_stride: usize,
) {
    // SAFETY: as the caller promises; both builds do the same.
    unsafe {
        match build() {
            Build::Simd => inner::tile(factors, from, from_stride, to, to_stride),
            Build::Relaxed => relaxed::tile(factors, from, from_stride, to, to_stride),
        }
    }
}

/// As [`inner::row`].
#[inline]
pub(super) unsafe fn row(x: *const f32, depth: usize, panels: *const f32, count: usize, sums: *mut f32) {
    // SAFETY: as the caller promises; both builds do the same.
    unsafe {
        match build() {
            Build::Simd => inner::row(x, depth, panels, count, sums),
            Build::Relaxed => relaxed::row(x, depth, panels, count, sums),
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod relaxed {
    use std::sync::OnceLock;

    use js_sys::{Function, Object, Reflect, Uint8Array, WebAssembly};
    use wasm_bindgen::{JsCast, JsValue};

    use crate::kernel::inner::Factors;

    type Tile = unsafe extern "C" fn(&Factors, *const f32, usize, *mut f32, usize);
    type Row = unsafe extern "C" fn(*const f32, usize, *const f32, usize, *mut f32);

    /// What `build.rs` made of `relaxed.rs`.
    const MODULE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/relaxed.wasm"));

    static LINKED: OnceLock<Option<(Tile, Row)>> = OnceLock::new();

    /// Links the module on the first call; false where the browser refuses it.
    pub fn link() -> bool {
        LINKED.get_or_init(|| functions().ok()).is_some()
    }

    pub unsafe fn tile(
        factors: &Factors,
        from: *const f32,
        from_stride: usize,
        to: *mut f32,
        to_stride: usize,
    ) {
        if let Some(Some((tile, _))) = LINKED.get() {
            unsafe { tile(factors, from, from_stride, to, to_stride) }
        }
    }

    pub unsafe fn row(x: *const f32, depth: usize, panels: *const f32, count: usize, sums: *mut f32) {
        if let Some(Some((_, row))) = LINKED.get() {
            unsafe { row(x, depth, panels, count, sums) }
        }
    }

    fn functions() -> Result<(Tile, Row), JsValue> {
        let module = WebAssembly::Module::new(&Uint8Array::from(MODULE).into())?;
        let (imports, env) = (Object::new(), Object::new());
        Reflect::set(&env, &"memory".into(), &wasm_bindgen::memory())?;
        Reflect::set(&imports, &"env".into(), &env)?;
        let exports = WebAssembly::Instance::new(&module, &imports)?.exports();
        let pointer = |name: &str| -> Result<usize, JsValue> {
            function_pointer(&Reflect::get(&exports, &name.into())?.dyn_into()?)
        };
        let (tile, row) = (pointer("tile")?, pointer("row")?);
        // SAFETY: `relaxed.rs` exports both with these signatures, and a function pointer is a place in the table.
        Ok(unsafe { (std::mem::transmute::<usize, Tile>(tile), std::mem::transmute::<usize, Row>(row)) })
    }

    /// A function's place in this module's table.
    fn function_pointer(function: &Function) -> Result<usize, JsValue> {
        let table: WebAssembly::Table = wasm_bindgen::function_table().unchecked_into();
        let place = table.grow(1)?;
        table.set(place, function)?;
        Ok(place as usize)
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod relaxed {
    pub use crate::kernel::inner::{row, tile};

    /// There is nothing to link outside a browser.
    pub fn link() -> bool {
        false
    }
}
