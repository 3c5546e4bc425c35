//! Which inner loops run: those of one of the modules made of `apart/module.rs`, linked in on first use. All they need is told by
//! the browser: relaxed SIMD or not, memory that threads share or not.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use super::apart::pool::Pool;
use super::apart::rows::{Map, Rows};
use super::apart::share::{Job, Task};

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

/// How many threads may work at a job: the first one and the helpers that were asked to come.
pub fn workers() -> usize {
    if cfg!(target_arch = "wasm32") {
        1 + POOL.asked.load(Ordering::Relaxed) as usize
    } else {
        candle_core::utils::get_num_threads()
    }
}

/// Asks for `count` helpers; the address of the pool, where they meet.
#[cfg(target_arch = "wasm32")]
pub fn pool(count: u32) -> u32 {
    POOL.asked.store(count, Ordering::Relaxed);
    &raw const POOL as u32
}

/// Does all `count` pieces of a task, with all threads that there are; they take multiples of `least` at once.
///
/// # Safety
/// The task's pointers must be good for what its sizes say.
pub(super) unsafe fn share(task: Task, count: usize, least: usize, effort: usize) {
    // Small enough shares that the last worker has not long to go when the others have finished.
    let shares = if workers() == 1 { 1 } else { 4 * workers() };
    let grain = count.div_ceil(shares).next_multiple_of(least);
    let scratch_bytes = task.scratch().next_multiple_of(size_of::<u128>());
    let mut scratch = Vec::<u128>::with_capacity(workers() * scratch_bytes / size_of::<u128>());
    let scratch = scratch.as_mut_ptr().cast();
    let job = Job { task, count, grain, next: AtomicU32::new(0), effort, scratch, scratch_bytes };
    // SAFETY: as the caller promises; workers write what they need of the scratch before they read it.
    unsafe { (modules::work(build()))(&POOL, &job) }
}

/// `len` numbers, which `fill` writes.
///
/// # Safety
/// It must write all of them.
pub(super) unsafe fn filled(len: usize, fill: impl FnOnce(*mut f32)) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(len);
    fill(numbers.as_mut_ptr());
    // SAFETY: there is room for them, and they are written.
    unsafe { numbers.set_len(len) };
    numbers
}

/// Maps rows `[.., width]`.
///
/// # Panics
/// When `x` is no whole number of rows.
pub(super) fn map(map: Map, x: &[f32], width: usize) -> Vec<f32> {
    assert!(x.len().is_multiple_of(width), "{} numbers in rows of {width}", x.len());
    let rows = x.len() / width;
    // A number costs some ten multiplications.
    let effort = 10 * x.len();
    let task = |out| Task::Rows(Rows { map, width, x: x.as_ptr(), out });
    // SAFETY: both have as many rows as `rows` says, and each is written; what `map` holds is up to its maker.
    unsafe { filled(rows * map.width(width), |out| share(task(out), rows, 1, effort)) }
}

/// A module's entry, as [`super::apart::share::work`].
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

    use super::{Build, POOL, Work};

    // What `build.rs` made of `apart/module.rs`.
    const SIMD: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/simd.wasm"));
    const RELAXED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/relaxed.wasm"));
    const SIMD_SHARED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/simd-shared.wasm"));
    const RELAXED_SHARED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/relaxed-shared.wasm"));

    static SIMD_WORK: OnceLock<Option<Work>> = OnceLock::new();
    static RELAXED_WORK: OnceLock<Option<Work>> = OnceLock::new();

    fn linked(build: Build) -> Option<Work> {
        let place = match build {
            Build::Simd => &SIMD_WORK,
            Build::Relaxed => &RELAXED_WORK,
        };
        *place.get_or_init(|| entry(build).ok())
    }

    /// Links the module of this build on the first call; false where the browser refuses it.
    pub fn link(build: Build) -> bool {
        linked(build).is_some()
    }

    #[inline]
    pub fn work(build: Build) -> Work {
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

    fn entry(build: Build) -> Result<Work, JsValue> {
        let (imports, env) = (Object::new(), Object::new());
        Reflect::set(&env, &"memory".into(), &wasm_bindgen::memory())?;
        Reflect::set(&env, &"wake".into(), &Closure::<dyn Fn()>::new(wake).into_js_value())?;
        Reflect::set(&imports, &"env".into(), &env)?;
        let exports = WebAssembly::Instance::new(&module(build)?, &imports)?.exports();
        let work = function_pointer(&Reflect::get(&exports, &"work".into())?.dyn_into()?)?;
        // SAFETY: `apart/module.rs` exports it with this signature, and a function pointer is a place in the table.
        Ok(unsafe { std::mem::transmute::<usize, Work>(work) })
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

/// Outside a browser there is one build, for what candle does not do faster, and for tests.
#[cfg(not(target_arch = "wasm32"))]
mod modules {
    use super::{Build, Work};
    use crate::kernel::apart::pool::Pool;
    use crate::kernel::apart::share::{self, Job, Task};
    use crate::kernel::linked;

    pub fn link(build: Build) -> bool {
        build == Build::Simd
    }

    pub fn work(_: Build) -> Work {
        with_threads
    }

    /// Rows and heads are shared out to as many threads as candle uses, where it is worth starting them.
    unsafe extern "C" fn with_threads(_: &Pool, job: &Job) {
        const WORTH_A_THREAD: usize = 10 << 16;
        let few = matches!(job.task, Task::Product(_) | Task::Tiles(_));
        let threads = if few { 1 } else { linked::workers().min(1 + job.effort / WORTH_A_THREAD) };
        let shared = Shared(job);
        std::thread::scope(|scope| {
            let shared = &shared;
            for worker in 1..threads {
                // SAFETY: as the caller promises; nobody takes a piece twice, and each has a scratch of its own.
                scope.spawn(move || unsafe { share::work(shared.job(), worker) });
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
