//! HTTP/1.x messages for passive session tracking.
