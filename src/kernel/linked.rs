//! Which inner loops run: those of one of the modules made of `apart.rs`, linked in on first use. All they need is told by
//! the browser: relaxed SIMD or not, memory that threads share or not.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use super::inner::Factors;
use super::pool::Pool;
use super::rows::{Map, Rows};
use super::share::{Job, Task};

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
        0 if choose(Build::Relaxed) || choose(Build::Simd) => build(),
        2 => Build::Relaxed,
        _ => Build::Simd,
    }
}

/// Runs with `build` from now on; false, and nothing changes, where this machine lacks it.
pub fn choose(build: Build) -> bool {
    let possible = modules::link(build);
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

/// As [`super::inner::tile`].
#[inline]
pub(super) unsafe fn tile(
    factors: &Factors,
    from: *const f32,
    from_stride: usize,
    to: *mut f32,
    to_stride: usize,
) {
    // SAFETY: as the caller promises.
    unsafe { (modules::loops(build()).tile)(factors, from, from_stride, to, to_stride) }
}

/// Does all `count` pieces of a task, with all threads that there are; they take multiples of `least` at once.
///
/// # Safety
/// The task's pointers must be good for what its sizes say.
pub(super) unsafe fn share(task: Task, count: usize, least: usize, effort: usize) {
    // Small enough shares that the last worker has not long to go when the others have finished.
    let shares = if cfg!(target_arch = "wasm32") && workers() == 1 { 1 } else { 4 * workers() };
    let grain = count.div_ceil(shares).next_multiple_of(least);
    let job = Job { task, count, grain, next: AtomicU32::new(0), effort };
    // SAFETY: as the caller promises.
    unsafe { (modules::loops(build()).work)(&POOL, &job) }
}

/// Maps rows `[.., width]`.
///
/// # Panics
/// When `x` is no whole number of rows.
pub(super) fn map(map: Map, x: &[f32], width: usize) -> Vec<f32> {
    assert!(x.len().is_multiple_of(width), "{} numbers in rows of {width}", x.len());
    let rows = x.len() / width;
    let mut out = vec![0f32; rows * map.width(width)];
    let task = Task::Rows(Rows { map, width, x: x.as_ptr(), out: out.as_mut_ptr() });
    // A number costs some ten multiplications.
    // SAFETY: both have as many rows as `rows` says; what `map` holds is up to its maker.
    unsafe { share(task, rows, 1, 10 * x.len()) };
    out
}

/// The entries of a module.
#[derive(Clone, Copy)]
struct Loops {
    tile: Tile,
    work: Work,
}

type Tile = unsafe extern "C" fn(&Factors, *const f32, usize, *mut f32, usize);
type Work = unsafe extern "C" fn(&Pool, &Job);

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

    use super::{Build, Loops, POOL, Tile, Work};

    // What `build.rs` made of `apart.rs`.
    const SIMD: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/simd.wasm"));
    const RELAXED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/relaxed.wasm"));
    const SIMD_SHARED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/simd-shared.wasm"));
    const RELAXED_SHARED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/relaxed-shared.wasm"));

    static SIMD_LOOPS: OnceLock<Option<Loops>> = OnceLock::new();
    static RELAXED_LOOPS: OnceLock<Option<Loops>> = OnceLock::new();

    fn linked(build: Build) -> Option<Loops> {
        let place = match build {
            Build::Simd => &SIMD_LOOPS,
            Build::Relaxed => &RELAXED_LOOPS,
        };
        *place.get_or_init(|| entries(build).ok())
    }

    /// Links the module of this build on the first call; false where the browser refuses it.
    pub fn link(build: Build) -> bool {
        linked(build).is_some()
    }

    #[inline]
    pub fn loops(build: Build) -> Loops {
        linked(build).expect("a browser that runs this module has plain SIMD")
    }

    /// The module of this build for the memory that there is, which helpers run too.
    pub fn module(build: Build) -> Result<WebAssembly::Module, JsValue> {
        let memory: WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
        let bytes = match (build, memory.buffer().is_instance_of::<SharedArrayBuffer>()) {
            (Build::Simd, true) => SIMD_SHARED,
            (Build::Simd, false) => SIMD,
            (Build::Relaxed, true) => RELAXED_SHARED,
            (Build::Relaxed, false) => RELAXED,
        };
        WebAssembly::Module::new(&Uint8Array::from(bytes).into())
    }

    fn entries(build: Build) -> Result<Loops, JsValue> {
        let (imports, env) = (Object::new(), Object::new());
        Reflect::set(&env, &"memory".into(), &wasm_bindgen::memory())?;
        Reflect::set(&env, &"wake".into(), &Closure::<dyn Fn()>::new(wake).into_js_value())?;
        Reflect::set(&imports, &"env".into(), &env)?;
        let exports = WebAssembly::Instance::new(&module(build)?, &imports)?.exports();
        let pointer = |name: &str| -> Result<usize, JsValue> {
            function_pointer(&Reflect::get(&exports, &name.into())?.dyn_into()?)
        };
        let (tile, work) = (pointer("tile")?, pointer("work")?);
        // SAFETY: `apart.rs` exports both with these signatures, and a function pointer is a place in the table.
        Ok(unsafe {
            Loops {
                tile: std::mem::transmute::<usize, Tile>(tile),
                work: std::mem::transmute::<usize, Work>(work),
            }
        })
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

/// Outside a browser there is one build, for tests: weights are multiplied by candle there.
#[cfg(not(target_arch = "wasm32"))]
mod modules {
    use super::{Build, Loops};
    use crate::kernel::share::Task;
    use crate::kernel::{inner, inner::Factors, pool::Pool, share, share::Job};

    pub fn link(build: Build) -> bool {
        build == Build::Simd
    }

    pub fn loops(_: Build) -> Loops {
        Loops { tile, work }
    }

    unsafe extern "C" fn tile(
        f: &Factors,
        from: *const f32,
        from_stride: usize,
        to: *mut f32,
        to_stride: usize,
    ) {
        unsafe { inner::tile(f, from, from_stride, to, to_stride) }
    }

    /// Rows are shared out to as many threads as candle uses, where it is worth starting them.
    unsafe extern "C" fn work(_: &Pool, job: &Job) {
        const WORTH_A_THREAD: usize = 10 << 16;
        let rows = matches!(job.task, Task::Rows(_));
        let threads =
            if rows { candle_core::utils::get_num_threads().min(1 + job.effort / WORTH_A_THREAD) } else { 1 };
        let shared = Shared(job);
        std::thread::scope(|scope| {
            for _ in 1..threads {
                // SAFETY: as the caller promises; nobody takes a piece twice.
                scope.spawn(|| unsafe { share::work(shared.job(), 0) });
            }
            unsafe { share::work(job, 0) }
        });
    }

    struct Shared<'j>(&'j Job);

    // SAFETY: pieces are taken atomically, and each writes a part of the output of its own.
    unsafe impl Sync for Shared<'_> {}

    impl Shared<'_> {
        fn job(&self) -> &Job {
            self.0
        }
    }
}
