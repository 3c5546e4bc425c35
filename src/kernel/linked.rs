//! Which inner loops run: those of this crate, with plain SIMD and one thread, or those of the modules made of
//! `relaxed.rs`, which are linked in on first use where the browser has what they need.

use std::sync::atomic::{AtomicU8, Ordering};

use super::inner::{self, Factors};
use super::pool::Pool;
use super::share::{self, Job};

/// The inner loops to run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// A multiplication, then an addition.
    Simd,
    /// Relaxed multiply-adds, which round once on most machines.
    Relaxed,
}

/// Where the helpers and the first thread meet.
pub static POOL: Pool = Pool::new();

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
    let possible = build == Build::Simd || modules::link(Build::Relaxed);
    if possible {
        CHOSEN.store(if build == Build::Simd { 1 } else { 2 }, Ordering::Relaxed);
    }
    possible
}

/// How many threads may work at a product: the first one and the helpers that were asked to come.
pub fn workers() -> usize {
    1 + POOL.asked.load(Ordering::Relaxed) as usize
}

/// Asks for `count` helpers; the address of the pool, where they meet.
#[cfg(target_arch = "wasm32")]
pub fn pool(count: u32) -> u32 {
    POOL.asked.store(count, Ordering::Relaxed);
    &raw const POOL as u32
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
            Build::Relaxed => modules::tile(factors, from, from_stride, to, to_stride),
        }
    }
}

/// As [`share::work`], with all threads that there are.
pub(super) unsafe fn work(job: &Job) {
    let build = build();
    // SAFETY: as the caller promises; all builds do the same.
    unsafe {
        if build == Build::Relaxed || workers() > 1 && modules::link(Build::Simd) {
            modules::work(build, &POOL, job);
        } else {
            share::work(job, 0);
        }
    }
}

#[cfg(target_arch = "wasm32")]
pub use modules::module;

#[cfg(target_arch = "wasm32")]
mod modules {
    use std::sync::OnceLock;

    use js_sys::{
        Atomics, Function, Int32Array, Object, Reflect, SharedArrayBuffer, Uint8Array, WebAssembly,
    };
    use wasm_bindgen::prelude::Closure;
    use wasm_bindgen::{JsCast, JsValue};

    use super::{Build, POOL};
    use crate::kernel::inner::Factors;
    use crate::kernel::pool::Pool;
    use crate::kernel::share::Job;

    type Tile = unsafe extern "C" fn(&Factors, *const f32, usize, *mut f32, usize);
    type Work = unsafe extern "C" fn(&Pool, &Job);

    // What `build.rs` made of `relaxed.rs`.
    const RELAXED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/relaxed.wasm"));
    const SIMD_SHARED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/simd-shared.wasm"));
    const RELAXED_SHARED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/relaxed-shared.wasm"));

    static SIMD_LINKED: OnceLock<Option<(Tile, Work)>> = OnceLock::new();
    static RELAXED_LINKED: OnceLock<Option<(Tile, Work)>> = OnceLock::new();

    fn place(build: Build) -> &'static OnceLock<Option<(Tile, Work)>> {
        match build {
            Build::Simd => &SIMD_LINKED,
            Build::Relaxed => &RELAXED_LINKED,
        }
    }

    /// Links the module of this build on the first call; false where there is none or the browser refuses it.
    pub fn link(build: Build) -> bool {
        place(build).get_or_init(|| functions(build).ok()).is_some()
    }

    pub unsafe fn tile(
        factors: &Factors,
        from: *const f32,
        from_stride: usize,
        to: *mut f32,
        to_stride: usize,
    ) {
        if let Some(Some((tile, _))) = RELAXED_LINKED.get() {
            unsafe { tile(factors, from, from_stride, to, to_stride) }
        }
    }

    pub unsafe fn work(build: Build, pool: &Pool, job: &Job) {
        if let Some(Some((_, work))) = place(build).get() {
            unsafe { work(pool, job) }
        }
    }

    /// The module of this build for the memory that there is, which helpers run too.
    pub fn module(build: Build) -> Result<WebAssembly::Module, JsValue> {
        let memory: WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
        let bytes = match (build, memory.buffer().is_instance_of::<SharedArrayBuffer>()) {
            (Build::Simd, true) => SIMD_SHARED,
            (Build::Simd, false) => return Err(JsValue::UNDEFINED), // the crate has it
            (Build::Relaxed, true) => RELAXED_SHARED,
            (Build::Relaxed, false) => RELAXED,
        };
        WebAssembly::Module::new(&Uint8Array::from(bytes).into())
    }

    fn functions(build: Build) -> Result<(Tile, Work), JsValue> {
        let (imports, env) = (Object::new(), Object::new());
        Reflect::set(&env, &"memory".into(), &wasm_bindgen::memory())?;
        Reflect::set(&env, &"wake".into(), &Closure::<dyn Fn()>::new(wake).into_js_value())?;
        Reflect::set(&imports, &"env".into(), &env)?;
        let exports = WebAssembly::Instance::new(&module(build)?, &imports)?.exports();
        let pointer = |name: &str| -> Result<usize, JsValue> {
            function_pointer(&Reflect::get(&exports, &name.into())?.dyn_into()?)
        };
        let (tile, work) = (pointer("tile")?, pointer("work")?);
        // SAFETY: `relaxed.rs` exports both with these signatures, and a function pointer is a place in the table.
        Ok(unsafe { (std::mem::transmute::<usize, Tile>(tile), std::mem::transmute::<usize, Work>(work)) })
    }

    /// A function's place in this module's table.
    fn function_pointer(function: &Function) -> Result<usize, JsValue> {
        let table: WebAssembly::Table = wasm_bindgen::function_table().unchecked_into();
        let place = table.grow(1)?;
        table.set(place, function)?;
        Ok(place as usize)
    }

    /// Wakes the helpers that sleep.
    fn wake() {
        let memory: WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
        let at = (&raw const POOL.epoch) as u32 / 4;
        // It fails on memory that is not shared, where nobody sleeps.
        let _ = Atomics::notify(&Int32Array::new(&memory.buffer()), at);
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod modules {
    pub use crate::kernel::inner::tile;

    use super::{Build, Job, Pool, share};

    /// There is nothing to link outside a browser.
    pub fn link(_: Build) -> bool {
        false
    }

    pub unsafe fn work(_: Build, _: &Pool, job: &Job) {
        unsafe { share::work(job, 0) }
    }
}
