//! The defragmenter against its rules: case by case, exhaustively where the input is small, against
//! a plain model, and under attack.

mod bombs;
mod bytes;
mod model;
mod orders;
mod piece;
mod rules;
