use std::any::Any;
use std::fmt;

use flowscope_record::Schema;

/// What a format has prepared for each schema it has met.
#[derive(Default)]
pub(crate) struct Plans {
    /// The address of the schema, and what is prepared for it.
    list: Vec<(usize, Box<dyn Any + Send>)>,
}

impl Plans {
    /// What is prepared for this schema; `make` prepares it the first time.
    #[inline]
    pub(crate) fn get<R: 'static, P: Send + 'static>(
        &mut self,
        schema: &'static Schema<R>,
        make: impl FnOnce() -> P,
    ) -> &mut P {
        let address = std::ptr::from_ref(schema).addr();
        let at = match self.list.iter().position(|(of, _)| *of == address) {
            Some(at) => at,
            None => {
                self.list.push((address, Box::new(make())));
                self.list.len() - 1
            }
        };
        self.list[at].1.downcast_mut().expect("a schema has records of one type")
    }
}

/// A copy prepares its own.
impl Clone for Plans {
    fn clone(&self) -> Self {
        Plans::default()
    }
}

impl fmt::Debug for Plans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plans").field("schemas", &self.list.len()).finish()
    }
}
