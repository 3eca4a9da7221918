//! `conversations_to_disk INTERFACE|FILE DIRECTORY`: what was said in each TCP flow, both sides in the
//! order in which they said it, as a file of its own.
//!
//! While the disk is slow the capture waits, and what the kernel drops meanwhile is told at the end,
//! which is Ctrl-C or the end of the file. `ulimit -n` bounds how many flows can be written at once;
//! one that cannot be written is told, and holds up nobody.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use netring::{Conversation, ConversationConfig, Piece, Stalled};
use tokio::fs::File;
use tokio::io::{AsyncWriteExt as _, BufWriter};
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> ExitCode {
    example_live::exit(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(input), Some(directory)) = (args.next(), args.next()) else {
        return Err("usage: conversations_to_disk INTERFACE|FILE DIRECTORY".into());
    };
    let directory = Path::new(&directory);
    let mut conversations = example_live::open(&input)?
        .stop_when(tokio::signal::ctrl_c())
        .flow_stream(AutoDetectEncap(FiveTuple::bidirectional()))
        .conversations(ConversationConfig::default().stalled(Stalled::Wait));
    let mut writers = JoinSet::new();
    while let Some(conversation) = conversations.next().await {
        match conversation {
            Ok(conversation) => {
                let flow = conversation.flow();
                let (client, server) = flow.key.endpoints(flow.orientation);
                let path = directory.join(format!("{}_{client}_{server}", flow.id.0));
                writers.spawn(write(path, conversation));
            }
            Err(error) => eprintln!("{error}"),
        }
        // Those that are done take room until they are asked.
        while writers.try_join_next().is_some() {}
    }
    writers.join_all().await;
    let stats = conversations.stats()?;
    eprintln!("{}", stats);
    eprintln!("{} of {} bytes written", stats.bytes.delivered(), stats.bytes.seen());
    Ok(())
}

/// Writes a conversation, and tells how it went.
async fn write(path: PathBuf, mut conversation: Conversation<FiveTupleKey>) {
    let name = path.display();
    match copy(&path, &mut conversation).await {
        Ok((bytes, 0)) => println!("{name}: {bytes} bytes"),
        Ok((bytes, missing)) => println!("{name}: {bytes} bytes, {missing} missing"),
        Err(error) => eprintln!("{name}: {error}"),
    }
}

/// How many bytes were written, and how many are missing.
async fn copy(path: &Path, from: &mut Conversation<FiveTupleKey>) -> io::Result<(u64, u64)> {
    let mut file = BufWriter::new(File::create(path).await?);
    let (mut written, mut missing) = (0, 0);
    while let Some(piece) = from.next().await {
        match piece {
            Piece::Bytes { bytes, .. } => {
                file.write_all(&bytes).await?;
                written += bytes.len() as u64;
            }
            Piece::Gap { len, .. } => missing += len,
            _ => {}
        }
    }
    file.flush().await?;
    Ok((written, missing))
}
