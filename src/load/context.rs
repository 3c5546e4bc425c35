//! What every step of a load needs: the progress listener, the abort signal, and errors of JavaScript as errors of this
//! crate.

use std::cell::Cell;

use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::AbortSignal;

use crate::error::{Error, Result};

/// The progress listener and the abort signal of a load.
#[derive(Default)]
pub struct LoadContext {
    /// Called with `(stage, file, loaded, total)`, in bytes; `total` is undefined if it is not known.
    on_progress: Option<Function>,
    signal: Option<AbortSignal>,
    /// Whether the last failure was a connection that broke and cannot be resumed.
    must_restart: Cell<bool>,
}

impl LoadContext {
    /// The context of one call of `loadModel`.
    pub fn new(on_progress: Option<Function>, signal: Option<AbortSignal>) -> LoadContext {
        LoadContext { on_progress, signal, must_restart: Cell::new(false) }
    }

    /// # Errors
    /// [`Error::Abort`] when the signal fired.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        match &self.signal {
            Some(signal) if signal.aborted() => Err(Error::Abort(format!("while loading {name}"))),
            _ => Ok(()),
        }
    }

    pub(super) fn report(&self, stage: &str, name: &str, loaded: u64, total: Option<u64>) {
        let Some(listener) = &self.on_progress else { return };
        let total = total.map_or(JsValue::UNDEFINED, |total| (total as f64).into());
        // An exception in the listener does not stop the load.
        let _ = listener.call4(
            &JsValue::NULL,
            &stage.into(),
            &name.into(),
            &(loaded as f64).into(),
            &total,
        );
    }

    /// Reports how many of `total` bytes are done, at intervals.
    pub(super) fn progress<'c>(
        &'c self,
        stage: &'static str,
        name: &'c str,
        total: u64,
    ) -> Progress<'c> {
        self.report(stage, name, 0, Some(total));
        Progress { context: self, stage, name, total, done: 0, reported: 0 }
    }

    /// Whether the last failure was a connection that broke and cannot be resumed, so that the file must be read again
    /// from its beginning. `www/worker/network/download.ts` limits how often. Clears the flag.
    pub(super) fn take_restart(&self) -> bool {
        self.must_restart.take()
    }

    /// The result of a promise of `www/worker/network/`.
    pub(super) async fn resolve<T: JsCast>(&self, promise: Promise) -> Result<T> {
        match JsFuture::from(promise).await {
            Ok(value) => Ok(value.unchecked_into()),
            Err(error) => {
                let restart = Reflect::get(&error, &"restart".into());
                self.must_restart.set(restart.is_ok_and(|restart| restart.is_truthy()));
                Err(error_of(&error))
            }
        }
    }
}

/// Progress is reported after this many bytes, and at the end.
pub(super) const REPORT_EVERY: u64 = 1 << 18;

/// The progress of a part of a load whose size is known.
pub(super) struct Progress<'c> {
    context: &'c LoadContext,
    stage: &'static str,
    name: &'c str,
    total: u64,
    done: u64,
    reported: u64,
}

impl Progress<'_> {
    /// Counts `bytes` more.
    pub fn add(&mut self, bytes: u64) {
        self.done += bytes;
        if self.done - self.reported >= REPORT_EVERY {
            self.reported = self.done;
            self.context.report(self.stage, self.name, self.done.min(self.total), Some(self.total));
        }
    }

    /// Reports the end.
    pub fn finish(self) {
        self.context.report(self.stage, self.name, self.total, Some(self.total));
    }
}

/// A JavaScript error by its stable name. A rejection by the browser itself is a network error.
pub(super) fn error_of(error: &JsValue) -> Error {
    let message = message_of(error);
    match error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.name())).as_deref() {
        Some("AbortError") => Error::Abort(message),
        Some("InputError") => Error::Input(message),
        Some("WeightsError") => Error::Weights(message),
        _ => Error::Network(message),
    }
}

/// The message of a JavaScript error.
pub(super) fn message_of(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => error.message().into(),
        None => format!("{error:?}"),
    }
}
