//! Selects and runs the compute kernels. In a browser they are one of the modules built from
//! `simd/module.rs`, instantiated on first use: with relaxed SIMD if the browser supports it, with
//! atomics if the memory is shared.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use super::simd::job::{Job, Task};
use super::simd::pool::Pool;
use super::simd::rowwise::{RowOp, Rows};
pub use super::simd::vector::Backend;

/// The thread pool of this process.
static POOL: Pool = Pool::new();

/// 0: not chosen yet, 1: plain SIMD, 2: relaxed SIMD, 3: relaxed SIMD with a dot product of bytes.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// The instruction set in use: the fastest that is supported, unless another was chosen.
#[inline]
pub fn backend() -> Backend {
    match CHOSEN.load(Ordering::Relaxed) {
        0 => {
            select_backend(modules::fastest());
            backend()
        }
        2 => Backend::Relaxed,
        3 => Backend::RelaxedDot,
        _ => Backend::Simd,
    }
}

/// Uses `backend` from now on. Returns false, and changes nothing, if it is not supported.
pub fn select_backend(backend: Backend) -> bool {
    let supported = modules::is_supported(backend);
    if supported {
        let chosen = match backend {
            Backend::Simd => 1,
            Backend::Relaxed => 2,
            Backend::RelaxedDot => 3,
        };
        CHOSEN.store(chosen, Ordering::Relaxed);
    }
    supported
}

/// The number of threads that may run a job: the main thread and the requested helpers.
pub(crate) fn workers() -> usize {
    if cfg!(target_arch = "wasm32") {
        1 + POOL.requested.load(Ordering::Relaxed) as usize
    } else {
        candle_core::utils::get_num_threads()
    }
}

/// Requests `count` helpers; returns the address of the pool that they enter.
#[cfg(target_arch = "wasm32")]
pub(crate) fn pool(count: u32) -> u32 {
    POOL.requested.store(count, Ordering::Relaxed);
    &raw const POOL as u32
}

/// Runs all `count` items of a task on all threads, in chunks that are multiples of `min_chunk`
/// (which is at least 1).
/// `cost` is the approximate number of multiply-adds, which decides whether helpers are woken.
///
/// # Safety
/// The pointers of `task` must be valid for the sizes that its fields name. Nothing else may access
/// the outputs meanwhile.
pub(super) unsafe fn parallel_for(task: Task, count: usize, min_chunk: usize, cost: usize) {
    let workers = workers();
    // A single thread takes all items at once.
    let min_chunk = if workers == 1 { count } else { min_chunk };
    let [min_chunk, shares] = [min_chunk, 2 * workers]
        .map(|number| NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN));
    let scratch_bytes = task.scratch_bytes().next_multiple_of(size_of::<u128>());
    let mut scratch = Vec::<u128>::with_capacity(workers * scratch_bytes / size_of::<u128>());
    let scratch = scratch.as_mut_ptr().cast();
    let next = AtomicU32::new(0);
    let job = Job { task, count, min_chunk, shares, next, cost, scratch, scratch_bytes };
    // SAFETY: the caller guarantees the pointers of the task. `scratch` has `scratch_bytes` for
    // each worker and lives until the job has ended.
    unsafe { (modules::work(backend()))(&POOL, &job) }
}

/// A vector of `len` floats that `fill` writes. `fill` gets a pointer that is valid for writes of
/// them.
///
/// # Safety
/// `fill` must initialize all of them.
pub(super) unsafe fn filled(len: usize, fill: impl FnOnce(*mut f32)) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(len);
    fill(numbers.as_mut_ptr());
    // SAFETY: the capacity is at least `len`, and the caller guarantees that `fill` initializes
    // `len` floats.
    unsafe { numbers.set_len(len) };
    numbers
}

/// Applies a row-wise operation to rows `[.., width]`.
///
/// # Safety
/// The pointers of `op` must be valid for the sizes that its variants name.
///
/// # Panics
/// If the length of `x` is not a multiple of `width`.
pub(super) unsafe fn map_rows(op: RowOp, x: &[f32], width: usize) -> Vec<f32> {
    assert!(x.len().is_multiple_of(width), "{} numbers in rows of {width}", x.len());
    let rows = x.len() / width;
    // One number costs about ten multiply-adds.
    let cost = 10 * x.len();
    let task = |out| Task::Rows(Rows { op, width, x: x.as_ptr(), out });
    // SAFETY: input and output have `rows` rows, all of which are written; the caller guarantees
    // the pointers of `op`.
    unsafe { filled(rows * op.width(width), |out| parallel_for(task(out), rows, 1, cost)) }
}

/// The entry point of a kernel module.
type Work = unsafe extern "C" fn(&Pool, &Job);

#[cfg(target_arch = "wasm32")]
pub(crate) use modules::module;

#[cfg(target_arch = "wasm32")]
mod modules {
    use std::sync::OnceLock;

    use js_sys::{
        Atomics, Function, Int32Array, Object, Reflect, SharedArrayBuffer, Uint8Array, WebAssembly,
    };
    use wasm_bindgen::prelude::Closure;
    use wasm_bindgen::{JsCast, JsValue};

    use super::{Backend, POOL, Work};

    // Built from `simd/module.rs` by `build.rs`.
    const SIMD: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/simd.wasm"));
    const RELAXED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/relaxed.wasm"));
    const SIMD_SHARED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/simd-shared.wasm"));
    const RELAXED_SHARED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/relaxed-shared.wasm"));

    /// What an instance of a module exports.
    #[derive(Clone, Copy)]
    struct Exports {
        work: Work,
        has_dot_instruction: bool,
    }

    static SIMD_EXPORTS: OnceLock<Option<Exports>> = OnceLock::new();
    static RELAXED_EXPORTS: OnceLock<Option<Exports>> = OnceLock::new();

    fn exports(backend: Backend) -> Option<Exports> {
        let cell = match backend {
            Backend::Simd => &SIMD_EXPORTS,
            Backend::Relaxed | Backend::RelaxedDot => &RELAXED_EXPORTS,
        };
        *cell.get_or_init(|| instantiate(backend).ok())
    }

    /// The fastest instruction set that is supported.
    pub fn fastest() -> Backend {
        match exports(Backend::Relaxed) {
            None => Backend::Simd,
            Some(Exports { has_dot_instruction: false, .. }) => Backend::Relaxed,
            Some(_) => Backend::RelaxedDot,
        }
    }

    /// Instantiates the module on the first call; false if the browser rejects it.
    pub fn is_supported(backend: Backend) -> bool {
        exports(backend).is_some()
    }

    #[inline]
    pub fn work(backend: Backend) -> Work {
        exports(backend).expect("a browser that runs this module supports plain SIMD").work
    }

    /// The module for this instruction set and this kind of memory. Helpers instantiate it too.
    pub(crate) fn module(backend: Backend) -> Result<WebAssembly::Module, JsValue> {
        let memory: WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
        let bytes = match (backend, memory.buffer().is_instance_of::<SharedArrayBuffer>()) {
            (Backend::Simd, true) => SIMD_SHARED,
            (Backend::Simd, false) => SIMD,
            (Backend::Relaxed | Backend::RelaxedDot, true) => RELAXED_SHARED,
            (Backend::Relaxed | Backend::RelaxedDot, false) => RELAXED,
        };
        WebAssembly::Module::new(&Uint8Array::from(bytes).into())
    }

    fn instantiate(backend: Backend) -> Result<Exports, JsValue> {
        let (imports, env) = (Object::new(), Object::new());
        Reflect::set(&env, &"memory".into(), &wasm_bindgen::memory())?;
        Reflect::set(&env, &"wake".into(), &Closure::<dyn Fn()>::new(wake).into_js_value())?;
        Reflect::set(&imports, &"env".into(), &env)?;
        let exports = WebAssembly::Instance::new(&module(backend)?, &imports)?.exports();
        let work = function_pointer(&Reflect::get(&exports, &"work".into())?.dyn_into()?)?;
        // SAFETY: `simd/module.rs` exports it with this signature, and a function pointer is an
        // index of the table.
        let work = unsafe { std::mem::transmute::<usize, Work>(work) };
        let probe =
            Reflect::get(&exports, &"has_dot_instruction".into())?.dyn_into::<Function>()?;
        // A bool is a number in wasm.
        let has_dot_instruction = probe.call0(&JsValue::UNDEFINED)?.as_f64() == Some(1.0);
        Ok(Exports { work, has_dot_instruction })
    }

    /// Adds a function to the table of the main module; returns its index.
    fn function_pointer(function: &Function) -> Result<usize, JsValue> {
        let table: WebAssembly::Table = wasm_bindgen::function_table().unchecked_into();
        let index = table.grow(1)?;
        table.set(index, function)?;
        Ok(index as usize)
    }

    /// Wakes sleeping helpers.
    fn wake() {
        let memory: WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
        let at = (&raw const POOL.epoch) as u32 / 4;
        // Fails if the memory is not shared; then there are no helpers.
        let _ = Atomics::notify(&Int32Array::new(&memory.buffer()), at);
    }
}

/// Natively there is one instruction set, used where candle is not faster, and by tests.
#[cfg(not(target_arch = "wasm32"))]
mod modules {
    use super::{Backend, Work};
    use crate::kernel::dispatch;
    use crate::kernel::simd::job::{self, Job, Task};
    use crate::kernel::simd::pool::Pool;

    pub fn fastest() -> Backend {
        Backend::Simd
    }

    pub fn is_supported(backend: Backend) -> bool {
        backend == Backend::Simd
    }

    pub fn work(_: Backend) -> Work {
        with_threads
    }

    /// Rows and heads run on as many threads as candle uses, if the job is large enough to start
    /// them.
    ///
    /// # Safety
    /// As for [`job::run`].
    unsafe extern "C" fn with_threads(_: &Pool, job: &Job) {
        const MIN_COST_PER_THREAD: usize = 10 << 16;
        let is_serial = matches!(job.task, Task::Product(_) | Task::Tiles(_));
        let threads =
            if is_serial { 1 } else { dispatch::workers().min(1 + job.cost / MIN_COST_PER_THREAD) };
        let shared = Shared(job);
        std::thread::scope(|scope| {
            let shared = &shared;
            for worker in 1..threads {
                // SAFETY: the caller guarantees the pointers of the job; each worker has its own
                // index and scratch memory.
                scope.spawn(move || unsafe { job::run(shared.job(), worker) });
            }
            // SAFETY: the same; 0 is the index of this thread.
            unsafe { job::run(job, 0) }
        });
    }

    struct Shared<'j>(&'j Job);

    // SAFETY: chunks are taken atomically, and each writes its own part of the output.
    unsafe impl Sync for Shared<'_> {}

    impl Shared<'_> {
        fn job(&self) -> &Job {
            self.0
        }
    }
}
