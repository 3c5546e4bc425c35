//! A file in memory. It is a module of `tests/store.rs` and, without `tests/common/mod.rs`, of the fuzz targets.

use std::cell::RefCell;

use bytemuck::{Pod, pod_read_unaligned};
use candlescope::load::Disk;
use candlescope::{Error, Result};

pub struct MemoryDisk(pub RefCell<Vec<u8>>);

impl MemoryDisk {
    pub fn new(bytes: Vec<u8>) -> MemoryDisk {
        MemoryDisk(RefCell::new(bytes))
    }
}

impl Disk for MemoryDisk {
    fn read<T: Pod>(&self, position: u64, count: usize, to: &mut Vec<T>) -> Result<()> {
        let (bytes, start) = (self.0.borrow(), position as usize);
        let found = bytes.get(start..start + count * size_of::<T>());
        let found = found.ok_or_else(|| Error::Weights("read past the end".into()))?;
        to.extend(found.chunks_exact(size_of::<T>()).map(pod_read_unaligned::<T>));
        Ok(())
    }

    fn write(&self, position: u64, bytes: &[u8]) -> Result<()> {
        let mut all = self.0.borrow_mut();
        assert_eq!(all.len() as u64, position, "written in order, without gaps");
        all.extend_from_slice(bytes);
        Ok(())
    }
}
