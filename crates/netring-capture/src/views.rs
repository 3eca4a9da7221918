use flowscope_core::PacketView;

/// Empties a list of views and gives its storage another lifetime. Collecting from a vector's own
/// iterator into the same layout keeps the allocation.
pub(crate) fn recycle<'b>(mut views: Vec<PacketView<'_>>) -> Vec<PacketView<'b>> {
    views.clear();
    views.into_iter().map(|_| unreachable!("the list was cleared")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_storage_of_a_batch_is_kept() {
        let views: Vec<PacketView<'_>> = Vec::with_capacity(64);
        let start = views.as_ptr();
        let again = recycle(views);
        assert!(again.capacity() >= 64);
        assert_eq!(again.as_ptr().cast::<u8>(), start.cast());
    }
}
