//! The driver over several flow tables: a router in front, a session shard per table.

mod followers;
mod router;
mod session_shard;

pub use router::{Router, ShardInput};
pub use session_shard::SessionShard;
